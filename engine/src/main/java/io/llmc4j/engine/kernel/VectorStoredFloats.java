package io.llmc4j.engine.kernel;

import io.llmc4j.engine.tensor.Conversions;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * The SIMD twin of {@link ScalarStoredFloats}. Codes are made in int lanes and narrowed by a plain loop over a small array, which the compiler
 * vectorizes by itself; so every vector width works the same way.
 */
public final class VectorStoredFloats implements StoredFloats {

    private static final VectorSpecies<Float> F = Lanes.F;
    private static final VectorSpecies<Integer> I = Lanes.I;
    private static final VectorSpecies<Short> HALF = VectorSpecies.of(short.class, VectorShape.forBitSize(F.vectorBitSize() / 2));
    private static final int L = Lanes.L;
    private static final int CHUNK = 1024;
    private static final ThreadLocal<int[]> SCRATCH = ThreadLocal.withInitial(() -> new int[CHUNK]);

    @Override
    public void bf16ToFloats(int n, short[] raw, int rawAt, float[] out, int outAt) {
        int i = 0;
        for (; i <= n - L; i += L) {
            ((IntVector) ShortVector.fromArray(HALF, raw, rawAt + i).convertShape(VectorOperators.S2I, I, 0))
                    .lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().intoArray(out, outAt + i);
        }
        for (; i < n; i++) {
            out[outAt + i] = Conversions.bf16ToFloat(raw[rawAt + i]);
        }
    }

    @Override
    public void floatsToBf16(int n, float[] values, int at, short[] raw, int rawAt) {
        int[] codes = SCRATCH.get();
        for (int from = 0; from < n; from += CHUNK) {
            int m = Math.min(CHUNK, n - from);
            bf16Codes(m, values, at + from, codes);
            narrow(m, codes, raw, rawAt + from);
        }
    }

    private static void bf16Codes(int m, float[] values, int at, int[] codes) {
        int i = 0;
        for (; i <= m - L; i += L) {
            IntVector b = FloatVector.fromArray(F, values, at + i).reinterpretAsInts();
            IntVector high = b.lanewise(VectorOperators.LSHR, 16);
            IntVector rounded = b.add(high.and(1)).add(0x7fff).lanewise(VectorOperators.LSHR, 16);
            IntVector nan = high.and(0x8000).or(0x7fc0);
            rounded.blend(nan, b.and(0x7fffffff).compare(VectorOperators.GT, 0x7f800000)).intoArray(codes, i);
        }
        for (; i < m; i++) {
            codes[i] = Conversions.floatToBf16(values[at + i]);
        }
    }

    private static void narrow(int m, int[] codes, short[] raw, int at) {
        for (int i = 0; i < m; i++) {
            raw[at + i] = (short) codes[i];
        }
    }

    private static void narrow(int m, int[] codes, byte[] raw, int at) {
        for (int i = 0; i < m; i++) {
            raw[at + i] = (byte) codes[i];
        }
    }

    @Override
    public void floatsToE4m3(int n, float[] values, int at, byte[] raw, int rawAt, boolean saturate) {
        int[] codes = SCRATCH.get();
        for (int from = 0; from < n; from += CHUNK) {
            int m = Math.min(CHUNK, n - from);
            int done = codes(m, values, at + from, codes, 3, 7, 0x7e, saturate ? 0x7e : 0x7f);
            for (int i = done; i < m; i++) {
                codes[i] = Conversions.floatToE4m3(values[at + from + i], saturate);
            }
            narrow(m, codes, raw, rawAt + from);
        }
    }

    @Override
    public void floatsToE5m2(int n, float[] values, int at, byte[] raw, int rawAt, boolean saturate) {
        int[] codes = SCRATCH.get();
        for (int from = 0; from < n; from += CHUNK) {
            int m = Math.min(CHUNK, n - from);
            int done = codes(m, values, at + from, codes, 2, 15, 0x7b, saturate ? 0x7b : 0x7c);
            for (int i = done; i < m; i++) {
                codes[i] = Conversions.floatToE5m2(values[at + from + i], saturate);
            }
            narrow(m, codes, raw, rawAt + from);
        }
    }

    /**
     * Codes of a float format in eight bits. Normal values: drop bits of the rebased float, ties to even. Subnormal ones: adding the power of two
     * whose last place is the format's smallest step leaves the code in the low bits, rounded by the hardware.
     */
    private static int codes(int m, float[] values, int at, int[] codes, int mantissa, int bias, int largest, int over) {
        int drop = 23 - mantissa;
        int rebase = 127 - bias << 23;
        int firstNormal = 128 - bias << 23;
        float step = Float.intBitsToFloat(1 - bias - mantissa + 23 + 127 << 23);
        int stepBits = Float.floatToRawIntBits(step);
        int i = 0;
        for (; i <= m - L; i += L) {
            IntVector b = FloatVector.fromArray(F, values, at + i).reinterpretAsInts();
            IntVector a = b.and(0x7fffffff);
            IntVector r = a.sub(rebase);
            IntVector odd = r.lanewise(VectorOperators.LSHR, drop).and(1);
            IntVector code = r.add((1 << drop - 1) - 1).add(odd).lanewise(VectorOperators.LSHR, drop);
            IntVector small = a.reinterpretAsFloats().add(step).reinterpretAsInts().sub(stepBits);
            code = code.blend(small, a.lt(firstNormal));
            code = code.blend(over, code.compare(VectorOperators.GT, largest));
            code = code.blend(0x7f, a.compare(VectorOperators.GT, 0x7f800000));
            code.or(b.lanewise(VectorOperators.LSHR, 24).and(0x80)).intoArray(codes, i);
        }
        return i;
    }

    @Override
    public void groupExtremes(int n, int groupSize, float[] x, int at, float[] min, float[] max, int groupAt) {
        for (int g = 0, from = 0; from < n; g++, from += groupSize) {
            extremes(Math.min(groupSize, n - from), x, at + from, min, max, groupAt + g);
        }
    }

    /** Both extremes in one pass over a group. */
    private static void extremes(int n, float[] x, int at, float[] min, float[] max, int to) {
        float low = Float.POSITIVE_INFINITY;
        float high = Float.NEGATIVE_INFINITY;
        int i = 0;
        if (n >= L) {
            FloatVector lows = FloatVector.fromArray(F, x, at);
            FloatVector highs = lows;
            for (i = L; i <= n - L; i += L) {
                FloatVector v = FloatVector.fromArray(F, x, at + i);
                lows = lows.min(v);
                highs = highs.max(v);
            }
            low = lows.reduceLanes(VectorOperators.MIN);
            high = highs.reduceLanes(VectorOperators.MAX);
        }
        for (; i < n; i++) {
            low = Math.min(low, x[at + i]);
            high = Math.max(high, x[at + i]);
        }
        min[to] = low;
        max[to] = high;
    }
}
