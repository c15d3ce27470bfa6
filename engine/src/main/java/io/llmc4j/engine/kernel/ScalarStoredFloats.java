package io.llmc4j.engine.kernel;

import io.llmc4j.engine.tensor.Conversions;

/** The readable definition of {@link StoredFloats}: one value after the other. */
public final class ScalarStoredFloats implements StoredFloats {

    @Override
    public void bf16ToFloats(int n, short[] raw, int rawAt, float[] out, int outAt) {
        for (int i = 0; i < n; i++) {
            out[outAt + i] = Conversions.bf16ToFloat(raw[rawAt + i]);
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
}
