package io.llmc4j.engine.kernel;

import io.llmc4j.engine.tensor.Conversions;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** The readable definition of {@link StoredFloats}: one value after the other. */
public final class ScalarStoredFloats implements StoredFloats {

    private static final VarHandle EIGHT = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

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
    public void packNibbles(int words, byte[] codes, int at, int[] out, int outAt) {
        for (int i = 0; i < words; i++) {
            out[outAt + i] = eightNibbles(codes, at + 8 * i);
        }
    }

    /** The low halves of eight bytes, drawn together. */
    static int eightNibbles(byte[] codes, int at) {
        long v = (long) EIGHT.get(codes, at) & 0x0f0f0f0f0f0f0f0fL;
        v = (v | v >>> 4) & 0x00ff00ff00ff00ffL;
        v = (v | v >>> 8) & 0x0000ffff0000ffffL;
        return (int) (v | v >>> 16);
    }
}
