package io.llmc4j.engine.kernel;

import io.llmc4j.engine.tensor.Conversions;

/** The readable definition of {@link StoredFloats}: one value after the other. */
public final class ScalarStoredFloats implements StoredFloats {

    static final StoredFloats INSTANCE = new ScalarStoredFloats();


    @Override
    public void bf16ToFloats(int n, short[] raw, int rawAt, float[] out, int outAt) {
        for (int i = 0; i < n; i++) {
            out[outAt + i] = Conversions.bf16ToFloat(raw[rawAt + i]);
        }
    }

    @Override
    public void e4m3ToFloats(int n, byte[] raw, int rawAt, float[] out, int outAt) {
        for (int i = 0; i < n; i++) {
            out[outAt + i] = Conversions.e4m3ToFloat(raw[rawAt + i]);
        }
    }

    @Override
    public void e5m2ToFloats(int n, byte[] raw, int rawAt, float[] out, int outAt) {
        for (int i = 0; i < n; i++) {
            out[outAt + i] = Conversions.e5m2ToFloat(raw[rawAt + i]);
        }
    }

    @Override
    public void integerCodes(int n, float[] x, int at, float scale, float zero, float qmin, float qmax, byte[] codes, int codesAt) {
        for (int i = 0; i < n; i++) {
            codes[codesAt + i] = (byte) (int) ScalarKernels.code(x[at + i], scale, zero, qmin, qmax);
        }
    }

    @Override
    public void floatsToBf16(int n, float[] values, int at, short[] raw, int rawAt) {
        for (int i = 0; i < n; i++) {
            raw[rawAt + i] = Conversions.floatToBf16(values[at + i]);
        }
    }

    @Override
    public void floatsToE4m3(int n, float[] values, int at, byte[] raw, int rawAt, boolean saturate) {
        for (int i = 0; i < n; i++) {
            raw[rawAt + i] = Conversions.floatToE4m3(values[at + i], saturate);
        }
    }

    @Override
    public void floatsToE5m2(int n, float[] values, int at, byte[] raw, int rawAt, boolean saturate) {
        for (int i = 0; i < n; i++) {
            raw[rawAt + i] = Conversions.floatToE5m2(values[at + i], saturate);
        }
    }

    @Override
    public void groupExtremes(int n, int groupSize, float[] x, int at, float[] min, float[] max, int groupAt) {
        for (int g = 0, from = 0; from < n; g++, from += groupSize) {
            float low = Float.POSITIVE_INFINITY;
            float high = Float.NEGATIVE_INFINITY;
            for (int i = from; i < Math.min(n, from + groupSize); i++) {
                low = Math.min(low, x[at + i]);
                high = Math.max(high, x[at + i]);
            }
            min[groupAt + g] = low;
            max[groupAt + g] = high;
        }
    }

    @Override
    public void codesToFloats(int n, byte[] codes, int at, boolean signed, float zero, float scale, float[] out, int outAt) {
        int mask = signed ? -1 : 0xff;
        for (int i = 0; i < n; i++) {
            out[outAt + i] = ((codes[at + i] & mask) - zero) * scale;
        }
    }

    @Override
    public void bf16Extremes(int n, int groupSize, int[] pairs, int at, float[] min, float[] max, int groupAt) {
        for (int g = 0; g < n / groupSize; g++) {
            float low = Float.POSITIVE_INFINITY;
            float high = Float.NEGATIVE_INFINITY;
            for (int i = g * groupSize; i < (g + 1) * groupSize; i++) {
                float v = half(pairs, at, i);
                low = Math.min(low, v);
                high = Math.max(high, v);
            }
            min[groupAt + g] = low;
            max[groupAt + g] = high;
        }
    }

    private static float half(int[] pairs, int at, int i) {
        return Conversions.bf16ToFloat((short) (pairs[at + i / 2] >> 16 * (i & 1)));
    }

    @Override
    public void bf16Nibbles(int n, int[] pairs, int at, float scale, float zero, float qmin, float qmax, byte[] packed, int packedAt) {
        for (int i = 0; i < n; i += 2) {
            int first = (int) ScalarKernels.code(half(pairs, at, i), scale, zero, qmin, qmax);
            packed[packedAt + i / 2] = (byte) (first | (int) ScalarKernels.code(half(pairs, at, i + 1), scale, zero, qmin, qmax) << 4);
        }
    }
}
