package io.llmc4j.laws;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.llmc4j.engine.kernel.ScalarStoredFloats;
import io.llmc4j.engine.kernel.StoredFloats;
import io.llmc4j.engine.kernel.VectorStoredFloats;
import io.llmc4j.engine.kernel.TensorPieces;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Bulk conversions against their definition: values near every rounding boundary of the formats, specials, every alignment of the tail. */
class StoredFloatsTest {

    private static final StoredFloats SCALAR = new ScalarStoredFloats();
    private static final StoredFloats VECTOR = new VectorStoredFloats();

    /** Every value that 15 high bits can start, exactly, and one bit below and above: all ties of bf16 and fp8 and their neighbours. */
    private static float[] values() {
        float[] v = new float[3 << 17];
        for (int i = 0; i < 1 << 17; i++) {
            for (int d = -1; d <= 1; d++) {
                v[3 * i + d + 1] = Float.intBitsToFloat((i << 15) + d);
            }
        }
        return v;
    }

    @Test
    void encodersAreTheirDefinition() {
        float[] v = values();
        byte[] expected = new byte[v.length];
        byte[] actual = new byte[v.length];
        for (boolean saturate : new boolean[] {true, false}) {
            SCALAR.floatsToE4m3(v.length, v, 0, expected, 0, saturate);
            VECTOR.floatsToE4m3(v.length, v, 0, actual, 0, saturate);
            assertArrayEquals(expected, actual);
            SCALAR.floatsToE5m2(v.length, v, 0, expected, 0, saturate);
            VECTOR.floatsToE5m2(v.length, v, 0, actual, 0, saturate);
            assertArrayEquals(expected, actual);
        }
        short[] expectedShorts = new short[v.length];
        short[] actualShorts = new short[v.length];
        SCALAR.floatsToBf16(v.length, v, 0, expectedShorts, 0);
        VECTOR.floatsToBf16(v.length, v, 0, actualShorts, 0);
        assertArrayEquals(expectedShorts, actualShorts);
    }

    @Test
    void everyBf16Decodes() {
        short[] raw = new short[65536];
        for (int i = 0; i < raw.length; i++) {
            raw[i] = (short) i;
        }
        float[] out = new float[raw.length];
        VECTOR.bf16ToFloats(raw.length, raw, 0, out, 0);
        for (int i = 0; i < raw.length; i++) {
            assertEquals(i << 16, Float.floatToRawIntBits(out[i]));
        }
    }

    @Test
    void tailsAndOffsets() {
        Random r = new Random(5);
        for (int n = 0; n < 70; n++) {
            float[] v = new float[n + 3];
            for (int i = 0; i < v.length; i++) {
                v[i] = r.nextInt(30) == 0 ? Float.NaN : (float) r.nextGaussian();
            }
            byte[] expected = new byte[n + 4];
            byte[] actual = new byte[n + 4];
            SCALAR.floatsToE4m3(n, v, 3, expected, 2, true);
            VECTOR.floatsToE4m3(n, v, 3, actual, 2, true);
            assertArrayEquals(expected, actual);
            for (int group : new int[] {1, 4, 8, 13, 32}) {
                int groups = (n + group - 1) / group;
                float[][] e = {new float[groups + 1], new float[groups + 1]};
                float[][] a = {new float[groups + 1], new float[groups + 1]};
                SCALAR.groupExtremes(n, group, v, 2, e[0], e[1], 1);
                VECTOR.groupExtremes(n, group, v, 2, a[0], a[1], 1);
                assertArrayEquals(e[0], a[0]);
                assertArrayEquals(e[1], a[1]);
            }
        }
    }

    @Test
    void tensorsInPieces() {
        Random r = new Random(6);
        int n = 600_001;
        float[] v = new float[n];
        for (int i = 0; i < n; i++) {
            v[i] = (float) r.nextGaussian();
        }
        for (Arena arena : new Arena[] {Arena.ofConfined(), Arena.ofShared()}) {
            try (arena) {
                for (DType type : new DType[] {DType.BF16, DType.F16, DType.F32, DType.F8_E4M3}) {
                    Tensor t = Tensors.fromFloats(type, new Shape(1, n), v, arena);
                    assertArrayEquals(Tensors.toFloats(t), TensorPieces.toMatrix(t).data());
                    float[] part = new float[10_000];
                    TensorPieces.toFloats(t, 77, part, 5, 9_000);
                    assertArrayEquals(Arrays.copyOfRange(Tensors.toFloats(t), 77, 9_077), Arrays.copyOfRange(part, 5, 9_005));
                }
            }
        }
    }
}
