package io.llmc4j.laws;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.llmc4j.engine.kernel.ScalarStoredFloats;
import io.llmc4j.engine.kernel.StoredFloats;
import io.llmc4j.engine.kernel.VectorStoredFloats;
import io.llmc4j.engine.kernel.TensorPieces;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.quant.StoredRounding;
import io.llmc4j.engine.quant.WeightRounding;
import io.llmc4j.engine.quant.WeightRoundings;
import io.llmc4j.engine.quant.packing.CodeOffset;
import io.llmc4j.engine.quant.packing.DenseBits;
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
    void everyFp8Decodes() {
        byte[] raw = new byte[256 + 3];
        for (int i = 0; i < raw.length; i++) {
            raw[i] = (byte) i;
        }
        float[][] e = {new float[raw.length], new float[raw.length]};
        float[][] a = {new float[raw.length], new float[raw.length]};
        SCALAR.e4m3ToFloats(raw.length, raw, 0, e[0], 0);
        VECTOR.e4m3ToFloats(raw.length, raw, 0, a[0], 0);
        SCALAR.e5m2ToFloats(raw.length, raw, 0, e[1], 0);
        VECTOR.e5m2ToFloats(raw.length, raw, 0, a[1], 0);
        for (int f = 0; f < 2; f++) {
            for (int i = 0; i < raw.length; i++) {
                assertEquals(Float.floatToRawIntBits(e[f][i]), Float.floatToRawIntBits(a[f][i]), "format " + f + ", code " + i);
            }
        }
    }

    @Test
    void integerCodesAreTheirDefinition() {
        float[] v = values();
        byte[] expected = new byte[v.length];
        byte[] actual = new byte[v.length];
        for (float scale : new float[] {1f, 0.37f, 1e-30f, 3e30f, 0f, -0.5f}) {
            for (float[] grid : new float[][] {{0, -8, 7}, {8, 0, 15}, {-3, 0, 15}, {200, 0, 255}, {0, -128, 127}, {0, -1, 1}, {70_000, 0, 15}}) {
                SCALAR.integerCodes(v.length, v, 0, scale, grid[0], grid[1], grid[2], expected, 0);
                VECTOR.integerCodes(v.length, v, 0, scale, grid[0], grid[1], grid[2], actual, 0);
                assertArrayEquals(expected, actual, () -> "scale " + scale + ", grid " + Arrays.toString(grid));
            }
        }
        // Ties go to even: multiples of one half.
        for (int n = 0; n < 40; n++) {
            float[] halves = new float[n];
            for (int i = 0; i < n; i++) {
                halves[i] = i / 2f - 10;
            }
            byte[] e = new byte[n];
            byte[] a = new byte[n];
            SCALAR.integerCodes(n, halves, 0, 1f, 0f, -8f, 7f, e, 0);
            VECTOR.integerCodes(n, halves, 0, 1f, 0f, -8f, 7f, a, 0);
            assertArrayEquals(e, a);
        }
    }

    /** Every bf16, in groups of every kind: of one sign, with zeros of both, with infinities and NaN. */
    @Test
    void bf16ExtremesAreThoseOfTheirFloats() {
        Random r = new Random(8);
        for (int group : new int[] {2, 16, 32, 48, 128, 256}) {
            int n = 65536 / group * group;
            int[] pairs = new int[n / 2 + 1];
            float[] floats = new float[n];
            for (int i = 0; i < n; i++) {
                int bits = i / group % 3 == 0 ? i & 0xffff : r.nextInt(65536);
                if (i / group % 5 < 4 && (bits & 0x7f80) == 0x7f80) {
                    bits &= 0xbfff;
                }
                bits = switch (i / group % 4) {
                    case 0 -> bits & 0x7fff;
                    case 1 -> bits | 0x8000;
                    default -> bits;
                };
                pairs[1 + i / 2] |= bits << 16 * (i & 1);
                floats[i] = Float.intBitsToFloat(bits << 16);
            }
            float[][] e = {new float[n / group], new float[n / group]};
            SCALAR.groupExtremes(n, group, floats, 0, e[0], e[1], 0);
            for (StoredFloats k : new StoredFloats[] {SCALAR, VECTOR}) {
                float[][] a = {new float[n / group], new float[n / group]};
                k.bf16Extremes(n, group, pairs, 1, a[0], a[1], 0);
                for (int s = 0; s < 2; s++) {
                    for (int g = 0; g < n / group; g++) {
                        assertEquals(Float.floatToIntBits(e[s][g]), Float.floatToIntBits(a[s][g]), "groups of " + group + ", number " + g);
                    }
                }
            }
        }
    }

    /** Every finite bf16 of both signs, with tails of every length. */
    @Test
    void bf16NibblesAreTheirDefinition() {
        Random r = new Random(4);
        for (float scale : new float[] {1f, 0.37f, 1e-5f / 15, 3e30f, 1e-38f}) {
            for (float zero : new float[] {0, 7, 8, 15}) {
                int n = 65536 - 2 * r.nextInt(70);
                int[] pairs = new int[32768 + 1];
                byte[] expected = new byte[n];
                for (int i = 0; i < n; i++) {
                    int bits = (i & 0x7f80) == 0x7f80 ? 0x3f80 : i;
                    pairs[1 + i / 2] |= bits << 16 * (i & 1);
                    SCALAR.integerCodes(1, new float[] {Float.intBitsToFloat(bits << 16)}, 0, scale, zero, 0, 15, expected, i);
                }
                for (StoredFloats k : new StoredFloats[] {SCALAR, VECTOR}) {
                    byte[] actual = new byte[n / 2 + 1];
                    k.bf16Nibbles(n, pairs, 1, scale, zero, 0, 15, actual, 1);
                    for (int i = 0; i < n; i++) {
                        assertEquals(expected[i], actual[1 + i / 2] >> 4 * (i & 1) & 15, "value " + i + ", scale " + scale + ", zero " + zero);
                    }
                }
            }
        }
    }

    @Test
    void codesToFloatsAreTheirDefinition() {
        byte[] codes = new byte[256 + 5];
        for (int i = 0; i < codes.length; i++) {
            codes[i] = (byte) i;
        }
        for (boolean signed : new boolean[] {true, false}) {
            for (StoredFloats k : new StoredFloats[] {SCALAR, VECTOR}) {
                float[] out = new float[257];
                k.codesToFloats(256, codes, 3, signed, 7f, 0.3f, out, 1);
                for (int i = 0; i < 256; i++) {
                    assertEquals(((signed ? codes[3 + i] : codes[3 + i] & 255) - 7f) * 0.3f, out[1 + i]);
                }
            }
        }
    }

    @Test
    void nibblesAreDrawnTogether() {
        Random r = new Random(3);
        for (int words = 0; words < 40; words++) {
            byte[] codes = new byte[8 * words + 3];
            r.nextBytes(codes);
            int[] expected = new int[words + 1];
            for (int i = 0; i < 8 * words; i++) {
                expected[1 + i / 8] |= (codes[3 + i] & 15) << 4 * (i % 8);
            }
            for (StoredFloats k : new StoredFloats[] {SCALAR, VECTOR}) {
                int[] actual = new int[words + 1];
                k.packNibbles(words, codes, 3, actual, 1);
                assertArrayEquals(expected, actual);
                byte[] back = new byte[8 * words + 3];
                k.unpackNibbles(words, actual, 1, back, 3);
                for (int i = 3; i < back.length; i++) {
                    assertEquals(codes[i] & 15, back[i]);
                }
            }
        }
    }

    @Test
    void extremesOrderZerosAndKeepNaN() {
        float[][] rows = {{0f, -0f}, {-0f, 0f}, {Float.NaN, 1f}, {1f, -Float.NaN}, {Float.NEGATIVE_INFINITY, Float.POSITIVE_INFINITY}, {-3f, -2f}};
        for (float[] row : rows) {
            float[] x = new float[64];
            for (int i = 0; i < x.length; i++) {
                x[i] = row[i % 2];
            }
            x[5] = row[0] != row[0] ? 1f : x[5];
            float[][] e = {new float[1], new float[1]};
            float[][] a = {new float[1], new float[1]};
            SCALAR.groupExtremes(64, 64, x, 0, e[0], e[1], 0);
            VECTOR.groupExtremes(64, 64, x, 0, a[0], a[1], 0);
            for (int k = 0; k < 2; k++) {
                assertEquals(Float.floatToIntBits(e[k][0]), Float.floatToIntBits(a[k][0]));
            }
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

    /** The pass through panels gives the codes and scales of the whole matrix. */
    @Test
    void roundingFromStorageIsTheQuantizer() {
        Random r = new Random(9);
        for (int[] shape : new int[][] {{37, 256}, {3, 20_480}, {700, 96}}) {
            float[] v = new float[shape[0] * shape[1]];
            for (int i = 0; i < v.length; i++) {
                v[i] = (float) r.nextGaussian();
            }
            try (Arena arena = Arena.ofShared()) {
                Tensor t = Tensors.fromFloats(DType.BF16, new Shape(shape[0], shape[1]), v, arena);
                for (int bits : new int[] {2, 3, 4, 8}) {
                    for (boolean symmetric : new boolean[] {true, false}) {
                        for (Granularity g : new Granularity[] {Granularity.perGroup(32), Granularity.PER_CHANNEL}) {
                            QuantScheme scheme = QuantScheme.integer(bits, symmetric, g);
                            StoredRounding actual = StoredRounding.of(t, scheme);
                            QuantizedMatrix expected = Quantizer.of(scheme).quantize(TensorPieces.toMatrix(t));
                            byte[] unsigned = symmetric ? CodeOffset.toUnsigned(expected.codes(), bits) : expected.codes();
                            assertArrayEquals(DenseBits.packRows(shape[0], shape[1], bits, unsigned), actual.words(), scheme::toString);
                            assertArrayEquals(expected.scales(), actual.params().scales());
                            assertArrayEquals(expected.zeros(), actual.params().zeros());
                            WeightRounding rounding = WeightRoundings.dynamic(Quantizer.of(scheme));
                            float[] fake = rounding.fakeQuantize(TensorPieces.toMatrix(t)).data();
                            float[] ofCodes = rounding.fakeOf(expected).orElseThrow().data();
                            for (int i = 0; i < fake.length; i++) {
                                assertEquals(Float.floatToRawIntBits(fake[i]), Float.floatToRawIntBits(ofCodes[i]), scheme::toString);
                            }
                        }
                    }
                }
            }
        }
    }
}
