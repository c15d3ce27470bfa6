package io.llmc4j.golden;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.llmc4j.formats.export.gguf.block.BlockCodec;
import io.llmc4j.formats.export.gguf.block.GgmlType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Every block encoder gives the bytes of llama.cpp, with and without importance; decoders give published values. */
class GgufBlocksTest {

    private static final GgufBlocks GOLDEN = new GgufBlocks();

    private static Stream<GgufBlocks.Case> cases() {
        return GOLDEN.cases().stream();
    }

    @TestFactory
    Stream<DynamicTest> bytesOfLlamaCpp() {
        return cases().map(c -> DynamicTest.dynamicTest(c.name(), () -> {
            GgmlType type = GgmlType.byName(c.type()).orElseThrow();
            assertEquals(c.typeId(), type.id());
            assertEquals(c.row(), type.rowBytes(GgufBlocks.COLS));
            BlockCodec codec = type.codec().orElseThrow();
            byte[] want = GOLDEN.bytes(c.name());
            byte[] got = new byte[want.length];
            float[] x = GOLDEN.input(c);
            for (int r = 0; r < GgufBlocks.ROWS; r++) {
                codec.encode(x, r * GgufBlocks.COLS, GgufBlocks.COLS, GOLDEN.importance(c), got, r * c.row());
            }
            for (int b = 0; b < want.length; b += type.bytes()) {
                HexFormat hex = HexFormat.of();
                assertEquals(hex.formatHex(want, b, b + type.bytes()), hex.formatHex(got, b, b + type.bytes()),
                        "block " + b / type.bytes() + " of row " + b / c.row());
            }
        }));
    }

    /** One block of (i - 16) / 8, i = 0 … 31, in hexadecimal. */
    @Test
    void publishedBlocks() {
        float[] x = new float[32];
        for (int i = 0; i < 32; i++) {
            x[i] = (i - 16) / 8f;
        }
        for (List<String> row : List.of(List.of("Q4_0", "0034809191a2a2b3b3c4c4d5d5e6e6f7f7f8"),
                List.of("Q4_1", "223400c080809191a2a2b3b3c4c4d5d5e6e6f7f7"),
                List.of("Q5_0", "00300000ffff00112233445566778899aabbccddeeff"),
                List.of("Q5_1", "003000c00000ffff00112233445566778899aabbccddeeff"),
                List.of("Q8_0", "082481899199a1a9b1b9c0c8d0d8e0e8f0f8000810182028303840474f575f676f77"),
                List.of("MXFP4", "7e0e0e1d1d2d2d3c3c4c4b4b5a5a595960"))) {
            GgmlType type = GgmlType.byName(row.get(0)).orElseThrow();
            byte[] out = new byte[type.bytes()];
            type.codec().orElseThrow().encode(x, 0, 32, BlockCodec.NO_IMPORTANCE, out, 0);
            assertEquals(row.get(1), HexFormat.of().formatHex(out), row.get(0));
        }
    }

    @Test
    void bf16Values() {
        float[] x = {1f, -2.5f, 3.1415927f, 65504f, 1e-8f, 0.1f};
        byte[] out = new byte[12];
        GgmlType.BF16.codec().orElseThrow().encode(x, 0, 6, BlockCodec.NO_IMPORTANCE, out, 0);
        assertEquals("803f20c0494080472c32cd3d", HexFormat.of().formatHex(out));
    }

    /** Bytes (37 i + 11) mod 256 with the half-precision scales set to 1 and 0.5: first four values, element 17, last two, sum. */
    @Test
    void publishedDecodings() {
        check(GgmlType.Q2_K, 80, 82, 33, 0, 11, 22, -1.5, 4.5, 4.5, 2059);
        check(GgmlType.Q3_K, 108, -1, 81, -108, 27, -54, 128, -28, 42, 958);
        check(GgmlType.Q4_K, 0, 2, 315.5, -25.5, 129.5, 284.5, -25.5, 36.5, 48.5, 54440);
        check(GgmlType.Q5_K, 0, 2, 811.5, -25.5, 625.5, 284.5, -25.5, 96.5, 108.5, 116216);
        check(GgmlType.Q6_K, 208, -1, -1431, 1696, 583, -530, 512, -40, -60, 4612);
        check(GgmlType.IQ4_NL, 0, -1, -35, 25, 113, -49, -10, -35, 1, -257);
        check(GgmlType.IQ4_XS, 0, -1, 65, -1, -69, 83, 35, 352, -16, -11005);
    }

    private static void check(GgmlType type, int d, int dmin, double... want) {
        byte[] block = new byte[type.bytes()];
        for (int i = 0; i < block.length; i++) {
            block[i] = (byte) (37 * i + 11);
        }
        half(block, d, 1f);
        if (dmin >= 0) {
            half(block, dmin, 0.5f);
        }
        int n = type.elements();
        float[] x = new float[n];
        type.codec().orElseThrow().decode(block, 0, n, x, 0);
        double sum = 0;
        for (float v : x) {
            sum += v;
        }
        double[] got = {x[0], x[1], x[2], x[3], x[17], x[n - 2], x[n - 1], sum};
        assertEquals(Arrays.toString(want), Arrays.toString(got), type.name());
    }

    private static void half(byte[] block, int at, float v) {
        short bits = Float.floatToFloat16(v);
        block[at] = (byte) bits;
        block[at + 1] = (byte) (bits >> 8);
    }

    /** Decoding what llama.cpp wrote gives what llama.cpp decodes (a hash of the float32 values, zeros positive). */
    @TestFactory
    Stream<DynamicTest> decodesAsLlamaCpp() {
        return cases().map(c -> DynamicTest.dynamicTest(c.name(), () -> {
            GgmlType type = GgmlType.byName(c.type()).orElseThrow();
            byte[] bytes = GOLDEN.bytes(c.name());
            ByteBuffer values = ByteBuffer.allocate(4 * GgufBlocks.ROWS * GgufBlocks.COLS).order(ByteOrder.LITTLE_ENDIAN);
            float[] y = new float[GgufBlocks.COLS];
            for (int r = 0; r < GgufBlocks.ROWS; r++) {
                type.codec().orElseThrow().decode(bytes, r * c.row(), GgufBlocks.COLS, y, 0);
                for (float v : y) {
                    values.putFloat(v + 0f);
                }
            }
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(values.array());
            assertEquals(GOLDEN.decoded(c), HexFormat.of().formatHex(hash, 0, 16));
        }));
    }
}
