package io.llmc4j.engine.kernel;

import io.llmc4j.engine.tensor.Conversions;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/** The SIMD twin of {@link ScalarStoredFloats}: everything is worked out in int lanes, widened on the way in and narrowed on the way out. */
public final class VectorStoredFloats implements StoredFloats {

    private static final VectorSpecies<Float> F = Lanes.F;
    private static final VectorSpecies<Integer> I = Lanes.I;
    private static final VectorSpecies<Short> HALF = VectorSpecies.of(short.class, VectorShape.forBitSize(F.vectorBitSize() / 2));
    private static final int L = Lanes.L;
    private static final VectorSpecies<Byte> QUARTER = VectorSpecies.of(byte.class, VectorShape.forBitSize(Math.max(64, F.vectorBitSize() / 4)));
    private static final VectorSpecies<Byte> BYTES = VectorSpecies.of(byte.class, F.vectorShape());
    private static final VectorSpecies<Integer> HALF_INTS = VectorSpecies.of(int.class, VectorShape.forBitSize(F.vectorBitSize() / 2));
    private static final float MAGIC = 0x1.8p23f;
    private static final int MAGIC_BITS = Float.floatToRawIntBits(MAGIC);
    private static final int INFINITY = 0x7f800000;
    private static final int NAN = 0x7fc00000;

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
        int i = 0;
        for (; i <= n - L; i += L) {
            IntVector b = FloatVector.fromArray(F, values, at + i).reinterpretAsInts();
            IntVector high = b.lanewise(VectorOperators.LSHR, 16);
            IntVector rounded = b.add(high.and(1)).add(0x7fff).lanewise(VectorOperators.LSHR, 16);
            IntVector nan = high.and(0x8000).or(0x7fc0);
            IntVector code = rounded.blend(nan, b.and(0x7fffffff).compare(VectorOperators.GT, 0x7f800000));
            ((ShortVector) code.convertShape(VectorOperators.I2S, HALF, 0)).intoArray(raw, rawAt + i);
        }
        for (; i < n; i++) {
            raw[rawAt + i] = Conversions.floatToBf16(values[at + i]);
        }
    }

    @Override
    public void e4m3ToFloats(int n, byte[] raw, int rawAt, float[] out, int outAt) {
        int i = 0;
        for (; i <= n - L; i += L) {
            IntVector c = bytes(raw, rawAt + i);
            IntVector m = c.and(0x7f);
            magnitudes(m, 3, 7).blend(NAN, m.compare(VectorOperators.EQ, 0x7f)).or(c.and(0x80).lanewise(VectorOperators.LSHL, 24))
                    .reinterpretAsFloats().intoArray(out, outAt + i);
        }
        for (; i < n; i++) {
            out[outAt + i] = Conversions.e4m3ToFloat(raw[rawAt + i]);
        }
    }

    @Override
    public void e5m2ToFloats(int n, byte[] raw, int rawAt, float[] out, int outAt) {
        int i = 0;
        for (; i <= n - L; i += L) {
            IntVector c = bytes(raw, rawAt + i);
            IntVector m = c.and(0x7f);
            magnitudes(m, 2, 15).blend(INFINITY, m.compare(VectorOperators.EQ, 0x7c)).blend(NAN, m.compare(VectorOperators.GT, 0x7c))
                    .or(c.and(0x80).lanewise(VectorOperators.LSHL, 24)).reinterpretAsFloats().intoArray(out, outAt + i);
        }
        for (; i < n; i++) {
            out[outAt + i] = Conversions.e5m2ToFloat(raw[rawAt + i]);
        }
    }

    /** Bits of the float32 of seven-bit codes: normal ones rebased, subnormal ones by conversion, so that no subnormal float32 is multiplied (some processors stumble). */
    private static IntVector magnitudes(IntVector m, int mantissa, int bias) {
        IntVector normal = m.lanewise(VectorOperators.LSHL, 23 - mantissa).add(127 - bias << 23);
        IntVector subnormal = ((FloatVector) m.convert(VectorOperators.I2F, 0)).mul(Float.intBitsToFloat(1 - bias - mantissa + 127 << 23)).reinterpretAsInts();
        return normal.blend(subnormal, m.lt(1 << mantissa));
    }

    @Override
    public void floatsToE4m3(int n, float[] values, int at, byte[] raw, int rawAt, boolean saturate) {
        int done = codes(n, values, at, raw, rawAt, 3, 7, 0x7e, saturate ? 0x7e : 0x7f);
        for (int i = done; i < n; i++) {
            raw[rawAt + i] = Conversions.floatToE4m3(values[at + i], saturate);
        }
    }

    @Override
    public void floatsToE5m2(int n, float[] values, int at, byte[] raw, int rawAt, boolean saturate) {
        int done = codes(n, values, at, raw, rawAt, 2, 15, 0x7b, saturate ? 0x7b : 0x7c);
        for (int i = done; i < n; i++) {
            raw[rawAt + i] = Conversions.floatToE5m2(values[at + i], saturate);
        }
    }

    /**
     * Codes of a float format in eight bits. Normal values: drop bits of the rebased float, ties to even. Subnormal ones: adding the power of two
     * whose last place is the format's smallest step leaves the code in the low bits, rounded by the hardware.
     */
    private static int codes(int n, float[] values, int at, byte[] raw, int rawAt, int mantissa, int bias, int largest, int over) {
        int drop = 23 - mantissa;
        int shift = (1 << drop - 1) - 1 - (127 - bias << 23);
        int firstNormal = 128 - bias << 23;
        float step = Float.intBitsToFloat(1 - bias - mantissa + 23 + 127 << 23);
        int stepBits = Float.floatToRawIntBits(step);
        int i = 0;
        for (; i <= n - L; i += L) {
            IntVector b = FloatVector.fromArray(F, values, at + i).reinterpretAsInts();
            IntVector a = b.and(0x7fffffff);
            IntVector odd = a.lanewise(VectorOperators.LSHR, drop).and(1);
            IntVector code = a.add(odd).add(shift).lanewise(VectorOperators.ASHR, drop);
            IntVector small = a.reinterpretAsFloats().add(step).reinterpretAsInts().sub(stepBits);
            code = code.blend(small, a.lt(firstNormal));
            code = code.blend(over, code.compare(VectorOperators.GT, largest));
            code = code.blend(0x7f, a.compare(VectorOperators.GT, INFINITY));
            store(code.or(b.lanewise(VectorOperators.LSHR, 24).and(0x80)), raw, rawAt + i);
        }
        return i;
    }

    /**
     * Rounding by the magic number 1.5 · 2²³: its sum with a quotient holds the rounded quotient in the low bits, and sums are in the order of their bits,
     * so that the clamp can be one of integers, which is shorter than one of floats.
     */
    @Override
    public void integerCodes(int n, float[] x, int at, float scale, float zero, float qmin, float qmax, byte[] codes, int codesAt) {
        int z = (int) zero;
        int low = MAGIC_BITS + (int) qmin - z;
        int high = MAGIC_BITS + (int) qmax - z;
        int back = z - MAGIC_BITS;
        int i = 0;
        for (; i <= n - L; i += L) {
            FloatVector q = FloatVector.fromArray(F, x, at + i).div(scale);
            IntVector c = q.add(MAGIC).reinterpretAsInts().max(low).min(high).add(back);
            store(c.blend(0, q.reinterpretAsInts().and(0x7fffffff).compare(VectorOperators.GT, INFINITY)), codes, codesAt + i);
        }
        for (; i < n; i++) {
            codes[codesAt + i] = (byte) (int) ScalarKernels.code(x[at + i], scale, zero, qmin, qmax);
        }
    }

    private static IntVector bytes(byte[] raw, int at) {
        if (L < 8) {
            // Four bytes are no vector of their own.
            return IntVector.fromArray(I, new int[] {raw[at], raw[at + 1], raw[at + 2], raw[at + 3]}, 0);
        }
        return (IntVector) ByteVector.fromArray(QUARTER, raw, at).convertShape(VectorOperators.B2I, I, 0);
    }

    private static void store(IntVector codes, byte[] raw, int at) {
        if (L < 8) {
            for (int i = 0; i < L; i++) {
                raw[at + i] = (byte) codes.lane(i);
            }
            return;
        }
        ((ByteVector) codes.convertShape(VectorOperators.I2B, QUARTER, 0)).intoArray(raw, at);
    }

    @Override
    public void groupExtremes(int n, int groupSize, float[] x, int at, float[] min, float[] max, int groupAt) {
        for (int g = 0, from = 0; from < n; g++, from += groupSize) {
            extremes(Math.min(groupSize, n - from), x, at + from, min, max, groupAt + g);
        }
    }

    /**
     * Both extremes in one pass over a group, as integers: float bits with all but the sign of negative ones turned over are in the order of the numbers,
     * zeros by their signs and NaN outermost, and integers are compared in one instruction.
     */
    private static void extremes(int n, float[] x, int at, float[] min, float[] max, int to) {
        int low = Integer.MAX_VALUE;
        int high = Integer.MIN_VALUE;
        int i = 0;
        if (n >= 2 * L) {
            IntVector lows = ordered(x, at);
            IntVector highs = lows;
            IntVector lows2 = ordered(x, at + L);
            IntVector highs2 = lows2;
            for (i = 2 * L; i <= n - 2 * L; i += 2 * L) {
                IntVector v = ordered(x, at + i);
                IntVector w = ordered(x, at + i + L);
                lows = lows.min(v);
                highs = highs.max(v);
                lows2 = lows2.min(w);
                highs2 = highs2.max(w);
            }
            low = lows.min(lows2).reduceLanes(VectorOperators.MIN);
            high = highs.max(highs2).reduceLanes(VectorOperators.MAX);
        }
        for (; i < n; i++) {
            int v = turned(Float.floatToRawIntBits(x[at + i]));
            low = Math.min(low, v);
            high = Math.max(high, v);
        }
        boolean number = low >= turned(0xff800000) && high <= INFINITY;
        min[to] = n == 0 ? Float.POSITIVE_INFINITY : number ? Float.intBitsToFloat(turned(low)) : Float.NaN;
        max[to] = n == 0 ? Float.NEGATIVE_INFINITY : number ? Float.intBitsToFloat(turned(high)) : Float.NaN;
    }

    private static IntVector ordered(float[] x, int at) {
        IntVector b = FloatVector.fromArray(F, x, at).reinterpretAsInts();
        return b.lanewise(VectorOperators.XOR, b.lanewise(VectorOperators.ASHR, 31).and(0x7fffffff));
    }

    private static int turned(int bits) {
        return bits ^ (bits >> 31 & 0x7fffffff);
    }

    /** The steps of {@link ScalarStoredFloats#eightNibbles} on as many words as there are longs in a vector. */
    @Override
    public void packNibbles(int words, byte[] codes, int at, int[] out, int outAt) {
        int i = 0;
        for (; i <= words - L / 2; i += L / 2) {
            LongVector v = ByteVector.fromArray(BYTES, codes, at + 8 * i).reinterpretAsLongs().and(0x0f0f0f0f0f0f0f0fL);
            v = v.or(v.lanewise(VectorOperators.LSHR, 4)).and(0x00ff00ff00ff00ffL);
            v = v.or(v.lanewise(VectorOperators.LSHR, 8)).and(0x0000ffff0000ffffL);
            v = v.or(v.lanewise(VectorOperators.LSHR, 16));
            ((IntVector) v.convertShape(VectorOperators.L2I, HALF_INTS, 0)).intoArray(out, outAt + i);
        }
        for (; i < words; i++) {
            out[outAt + i] = ScalarStoredFloats.eightNibbles(codes, at + 8 * i);
        }
    }
}
