package io.llmc4j.formats.export.gguf.block;

import java.util.Locale;
import java.util.Optional;

/**
 * Tensor types of GGUF: number in the file, elements and bytes of a block (ggml's documented table).
 * Types without a codec here can be named in messages but neither written nor read as weights.
 */
public enum GgmlType {
    F32(0, 1, 4, new F32Codec()),
    F16(1, 1, 2, new F16Codec()),
    Q4_0(2, 32, 18, new Q4_0()),
    Q4_1(3, 32, 20, new Q4_1()),
    Q5_0(6, 32, 22, new Q5_0()),
    Q5_1(7, 32, 24, new Q5_1()),
    Q8_0(8, 32, 34, new Q8_0()),
    Q2_K(10, 256, 84, new Q2_K()),
    Q3_K(11, 256, 110, new Q3_K()),
    Q4_K(12, 256, 144, new Q4_K()),
    Q5_K(13, 256, 176, new Q5_K()),
    Q6_K(14, 256, 210, new Q6_K()),
    IQ2_XXS(16, 256, 66, new Iq2Xxs()),
    IQ2_XS(17, 256, 74, new Iq2Xs()),
    IQ3_XXS(18, 256, 98, new Iq3Xxs()),
    IQ1_S(19, 256, 50, new Iq1S()),
    IQ4_NL(20, 32, 18, new Iq4Nl()),
    IQ3_S(21, 256, 110, new Iq3S()),
    IQ2_S(22, 256, 82, new Iq2S()),
    IQ4_XS(23, 256, 136, new Iq4Xs()),
    I8(24, 1, 1, null),
    I16(25, 1, 2, null),
    I32(26, 1, 4, null),
    I64(27, 1, 8, null),
    F64(28, 1, 8, null),
    IQ1_M(29, 256, 56, new Iq1M()),
    BF16(30, 1, 2, new Bf16Codec()),
    TQ1_0(34, 256, 54, new Tq1()),
    TQ2_0(35, 256, 66, new Tq2()),
    MXFP4(39, 32, 17, new Mxfp4()),
    NVFP4(40, 64, 36, new Nvfp4());

    private final int id;
    private final int elements;
    private final int bytes;
    private final BlockCodec codec;

    GgmlType(int id, int elements, int bytes, BlockCodec codec) {
        this.id = id;
        this.elements = elements;
        this.bytes = bytes;
        this.codec = codec;
    }

    /** The number in a GGUF file. */
    public int id() {
        return id;
    }

    /** Elements of a block; a row is a whole number of blocks. */
    public int elements() {
        return elements;
    }

    /** Bytes of a block. */
    public int bytes() {
        return bytes;
    }

    /** Average bits of an element. */
    public double bits() {
        return 8.0 * bytes / elements;
    }

    /** Whether rows of {@code n} elements are whole blocks. */
    public boolean fits(long n) {
        return n % elements == 0;
    }

    /** Bytes of a row of {@code n} elements. */
    public long rowBytes(long n) {
        if (!fits(n)) {
            throw new IllegalArgumentException(n + " elements are no whole blocks of " + this);
        }
        return Math.multiplyExact(n / elements, (long) bytes);
    }

    /** Empty for integer types and float64. */
    public Optional<BlockCodec> codec() {
        return Optional.ofNullable(codec);
    }

    /** Whether it loses more than a conversion between float types does. */
    public boolean quantized() {
        return elements > 1;
    }

    /** Whether the encoder is defined with importance only. */
    public boolean needsImportance() {
        return this == IQ2_XXS || this == IQ2_XS || this == IQ1_S;
    }

    public static Optional<GgmlType> byId(int id) {
        for (GgmlType t : values()) {
            if (t.id == id) {
                return Optional.of(t);
            }
        }
        return Optional.empty();
    }

    /** By name in any case, "q4_k". */
    public static Optional<GgmlType> byName(String name) {
        for (GgmlType t : values()) {
            if (t.name().equals(name.toUpperCase(Locale.ROOT))) {
                return Optional.of(t);
            }
        }
        return Optional.empty();
    }
}
