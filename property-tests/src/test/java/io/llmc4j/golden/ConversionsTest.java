package io.llmc4j.golden;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.safetensors.SafetensorsFile;
import io.llmc4j.engine.tensor.Conversions;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.function.IntUnaryOperator;
import org.junit.jupiter.api.Test;

/** Conversions against torch and ml_dtypes, for all codes and for a few thousand floats at and around the halfway points. */
class ConversionsTest {

    private static SafetensorsFile truth() throws IOException {
        try (InputStream in = ConversionsTest.class.getResourceAsStream("/conversions/torch.safetensors")) {
            return SafetensorsFile.of(in.readAllBytes(), "torch.safetensors");
        }
    }

    /** sha256 of the 65,536 float32 values in order, every NaN as 0x7fc00000, from torch. */
    @Test
    void allHalfAndBrainFloatsDecode() throws Exception {
        assertEquals("385ff5fe69182797cda5f1827e20cf423f4416bc9246f27d0eec27cac9039259", hash(DType.F16));
        assertEquals("f12e27efe34841dfd6391497b86f389096b03a376586e1d9691bba0a8de3980a", hash(DType.BF16));
    }

    private static String hash(DType type) throws Exception {
        try (Arena arena = Arena.ofConfined()) {
            Tensor t = Tensor.allocate(type, new Shape(65536), arena);
            for (int i = 0; i < 65536; i++) {
                t.bytes().set(ValueLayout.JAVA_SHORT_UNALIGNED, 2L * i, (short) i);
            }
            ByteBuffer out = ByteBuffer.allocate(4 * 65536).order(ByteOrder.LITTLE_ENDIAN);
            for (float v : Tensors.toFloats(t)) {
                out.putInt(Float.isNaN(v) ? 0x7fc00000 : Float.floatToRawIntBits(v));
            }
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(out.array()));
        }
    }

    @Test
    void everyHalfAndBrainFloatSurvivesTheRoundTrip() {
        for (int i = 0; i < 65536; i++) {
            float h = Conversions.f16ToFloat((short) i);
            if (!Float.isNaN(h)) {
                assertEquals((short) i, Conversions.floatToF16(h));
            }
            float b = Conversions.bf16ToFloat((short) i);
            short back = Conversions.floatToBf16(b);
            assertTrue(Float.isNaN(b) ? Float.isNaN(Conversions.bf16ToFloat(back)) : back == (short) i);
        }
    }

    @Test
    void allSmallCodesDecode() throws IOException {
        try (SafetensorsFile f = truth(); Arena arena = Arena.ofConfined()) {
            for (DType type : new DType[] {DType.F8_E4M3, DType.F8_E5M2, DType.F8_E8M0, DType.F8_E4M3FNUZ, DType.F8_E5M2FNUZ}) {
                byte[] codes = new byte[256];
                for (int i = 0; i < 256; i++) {
                    codes[i] = (byte) i;
                }
                float[] got = Tensors.toFloats(Tensors.fromBytes(type, new Shape(256), codes, arena));
                float[] want = Tensors.toFloats(f.tensor("decode." + type.name().substring(3).toLowerCase()));
                for (int i = 0; i < 256; i++) {
                    assertEquals(want[i], got[i], type + " code " + i);
                }
            }
            float[] e2m1 = Tensors.toFloats(f.tensor("decode.e2m1"));
            float[] e2m3 = Tensors.toFloats(f.tensor("decode.e2m3"));
            float[] e3m2 = Tensors.toFloats(f.tensor("decode.e3m2"));
            for (int i = 0; i < 64; i++) {
                assertEquals(e2m1[i % 16], Conversions.e2m1ToFloat(i % 16));
                assertEquals(e2m3[i], Conversions.e2m3ToFloat(i));
                assertEquals(e3m2[i], Conversions.e3m2ToFloat(i));
            }
        }
    }

    @Test
    void encodingRoundsAsTorchAndMlDtypes() throws IOException {
        try (SafetensorsFile f = truth()) {
            int[] x = Tensors.toInts(new Tensor(DType.I32, f.tensor("x").shape(), f.tensor("x").bytes()));
            compare(f, "f16", x, i -> Conversions.floatToF16(Float.intBitsToFloat(i)), i -> Conversions.f16ToFloat((short) i));
            compare(f, "bf16", x, i -> Conversions.floatToBf16(Float.intBitsToFloat(i)), i -> Conversions.bf16ToFloat((short) i));
            compare(f, "e4m3.ml", x, i -> Conversions.floatToE4m3(Float.intBitsToFloat(i), false) & 0xff, i -> Conversions.e4m3ToFloat((byte) i));
            compare(f, "e4m3", x, i -> Conversions.floatToE4m3(Float.intBitsToFloat(i), true) & 0xff, i -> Conversions.e4m3ToFloat((byte) i));
            compare(f, "e5m2.ml", x, i -> Conversions.floatToE5m2(Float.intBitsToFloat(i), false) & 0xff, i -> Conversions.e5m2ToFloat((byte) i));
            // ml_dtypes has no code for zero; torch and the hardware give the smallest scale, and so do we
            int[] nonZero = java.util.Arrays.stream(x).map(i -> i << 1 == 0 ? 0x7fc00000 : i).toArray();
            assertEquals(0, Conversions.floatToE8m0(0f, false));
            compare(f, "e8m0", nonZero, i -> Conversions.floatToE8m0(Float.intBitsToFloat(i), false) & 0xff, i -> Conversions.e8m0ToFloat((byte) i));
        }
    }

    /** Equal codes, or NaN on both sides: which NaN is each library's own choice. */
    private static void compare(SafetensorsFile f, String name, int[] x, IntUnaryOperator encode, java.util.function.IntFunction<Float> decode) {
        int[] want = Tensors.toInts(f.tensor(name));
        for (int i = 0; i < x.length; i++) {
            int got = encode.applyAsInt(x[i]);
            if (got != want[i] && !(decode.apply(got).isNaN() && decode.apply(want[i]).isNaN())) {
                throw new AssertionError(name + " of " + Float.intBitsToFloat(x[i]) + " (0x" + Integer.toHexString(x[i]) + "): got " + got + ", want " + want[i]);
            }
        }
    }

    @Test
    void saturation() {
        assertEquals(448f, Conversions.e4m3ToFloat(Conversions.floatToE4m3(Float.POSITIVE_INFINITY, true)));
        assertEquals(-448f, Conversions.e4m3ToFloat(Conversions.floatToE4m3(-480f, true)));
        assertEquals(57344f, Conversions.e5m2ToFloat(Conversions.floatToE5m2(1e9f, true)));
        assertTrue(Float.isNaN(Conversions.e4m3ToFloat(Conversions.floatToE4m3(Float.NaN, true))));
        assertEquals(0x1p127f, Conversions.e8m0ToFloat(Conversions.floatToE8m0(Float.MAX_VALUE, true)));
    }

    @Test
    void brainFloatVectorsOfTheSpecification() {
        float[] x = {1f, -2.5f, 3.1415927f, 65504f, 1e-8f, 0.1f};
        int[] want = {0x3f80, 0xc020, 0x4049, 0x4780, 0x322c, 0x3dcd};
        for (int i = 0; i < x.length; i++) {
            assertEquals(want[i], Conversions.floatToBf16(x[i]) & 0xffff);
        }
    }
}
