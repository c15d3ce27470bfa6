package io.llmc4j.engine.kernel;

import io.llmc4j.engine.tensor.Conversions;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/** The SIMD twin of {@link ScalarStoredFloats}: everything is worked out in int lanes, widened on the way in and narrowed on the way out. */
public final class VectorStoredFloats implements StoredFloats {

    static final StoredFloats INSTANCE = new VectorStoredFloats();

    private static final VectorSpecies<Float> F = Lanes.F;
    private static final VectorSpecies<Integer> I = Lanes.I;
    private static final VectorSpecies<Short> HALF = VectorSpecies.of(short.class, VectorShape.forBitSize(F.vectorBitSize() / 2));
    private static final int L = Lanes.L;
    private static final VectorSpecies<Byte> QUARTER = VectorSpecies.of(byte.class, VectorShape.forBitSize(Math.max(64, F.vectorBitSize() / 4)));
    private static final float MAGIC = 0x1.8p23f;
    private static final int MAGIC_BITS = Float.floatToRawIntBits(MAGIC);
    private static final int INFINITY = 0x7f800000;
    private static final int NAN = 0x7fc00000;
    /** Bits of the smallest normal numbers: 2^-6 and 2^-14. */
    private static final int E4M3_NORMAL = 121 << 23;
    private static final int E5M2_NORMAL = 113 << 23;
    private static final int BF16_INFINITY = INFINITY >> 16;

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

    /**
     * To a magnitude is added the power of two whose last place is the step of the format there, and the hardware rounds: the last bits of the sum count the
     * steps, and what the exponent says of it twice is taken away.
     */
    @Override
    public void floatsToE4m3(int n, float[] values, int at, byte[] raw, int rawAt, boolean saturate) {
        int limit = Float.floatToRawIntBits(saturate ? 448f : 480f);
        int base = (E4M3_NORMAL >> 20) + (20 << 23);
        int i = 0;
        for (; i <= n - L; i += L) {
            IntVector b = FloatVector.fromArray(F, values, at + i).reinterpretAsInts();
            IntVector m = b.and(0x7fffffff);
            IntVector a = m.min(limit);
            IntVector e = a.and(INFINITY).max(E4M3_NORMAL);
            IntVector code = a.reinterpretAsFloats().add(e.add(20 << 23).reinterpretAsFloats()).reinterpretAsInts().sub(e).add(e.lanewise(VectorOperators.LSHR, 20)).sub(base);
            store(code.blend(0x7f, m.compare(VectorOperators.GT, INFINITY)).or(b.lanewise(VectorOperators.LSHR, 24).and(0x80)), raw, rawAt + i);
        }
        for (; i < n; i++) {
            raw[rawAt + i] = Conversions.floatToE4m3(values[at + i], saturate);
        }
    }

    /** As {@link #floatsToE4m3}. */
    @Override
    public void floatsToE5m2(int n, float[] values, int at, byte[] raw, int rawAt, boolean saturate) {
        int limit = Float.floatToRawIntBits(saturate ? 57344f : 65536f);
        int base = (E5M2_NORMAL >> 21) + (21 << 23);
        int i = 0;
        for (; i <= n - L; i += L) {
            IntVector b = FloatVector.fromArray(F, values, at + i).reinterpretAsInts();
            IntVector m = b.and(0x7fffffff);
            IntVector a = m.min(limit);
            IntVector e = a.and(INFINITY).max(E5M2_NORMAL);
            IntVector code = a.reinterpretAsFloats().add(e.add(21 << 23).reinterpretAsFloats()).reinterpretAsInts().sub(e).add(e.lanewise(VectorOperators.LSHR, 21)).sub(base);
            store(code.blend(0x7f, m.compare(VectorOperators.GT, INFINITY)).or(b.lanewise(VectorOperators.LSHR, 24).and(0x80)), raw, rawAt + i);
        }
        for (; i < n; i++) {
            raw[rawAt + i] = Conversions.floatToE5m2(values[at + i], saturate);
        }
    }

    /**
     * Rounding by the magic number 1.5 · 2²³: its sum with a quotient holds the rounded quotient in the low bits, and sums are in the order of their bits,
     * so that the clamp can be one of integers, which is shorter than one of floats.
     */
    @Override
    public void integerCodes(int n, float[] x, int at, float scale, float zero, float qmin, float qmax, byte[] codes, int codesAt) {
        int low = MAGIC_BITS + (int) qmin - (int) zero;
        int high = MAGIC_BITS + (int) qmax - (int) zero;
        int i = 0;
        while (n - i >= L) {
            i += integerCodes(n - i, x, at + i, scale, low, high, (int) qmin - low, codes, codesAt + i);
            int odd = Math.min(n - i, L);
            oneCode(odd, x, at + i, scale, zero, qmin, qmax, codes, codesAt + i);
            i += odd;
        }
        oneCode(n - i, x, at + i, scale, zero, qmin, qmax, codes, codesAt + i);
    }

    /** How many are done: where a quotient is not a number, the rest is not. */
    private static int integerCodes(int n, float[] x, int at, float scale, int low, int high, int back, byte[] codes, int codesAt) {
        int i = 0;
        for (; i <= n - L; i += L) {
            FloatVector q = FloatVector.fromArray(F, x, at + i).div(scale);
            if (q.compare(VectorOperators.NE, q).anyTrue()) {
                break;
            }
            store(q.add(MAGIC).reinterpretAsInts().max(low).min(high).add(back), codes, codesAt + i);
        }
        return i;
    }

    private static void oneCode(int n, float[] x, int at, float scale, float zero, float qmin, float qmax, byte[] codes, int codesAt) {
        for (int i = 0; i < n; i++) {
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

    @Override
    public void codesToFloats(int n, byte[] codes, int at, boolean signed, float zero, float scale, float[] out, int outAt) {
        int mask = signed ? -1 : 0xff;
        int i = 0;
        for (; i <= n - L; i += L) {
            ((FloatVector) bytes(codes, at + i).and(mask).convert(VectorOperators.I2F, 0)).sub(zero).mul(scale).intoArray(out, outAt + i);
        }
        for (; i < n; i++) {
            out[outAt + i] = ((codes[at + i] & mask) - zero) * scale;
        }
    }

    @Override
    public void bf16Extremes(int n, int groupSize, int[] pairs, int at, float[] min, float[] max, int groupAt) {
        if (groupSize % (2 * L) != 0) {
            ScalarStoredFloats.INSTANCE.bf16Extremes(n, groupSize, pairs, at, min, max, groupAt);
            return;
        }
        for (int g = 0, from = 0; from < n; g++, from += groupSize) {
            bf16Group(groupSize / 2, pairs, at + from / 2, min, max, groupAt + g);
        }
    }

    /**
     * In sixteen bits: as signed numbers the codes of positive values are in their order and above the others, as unsigned ones those of negative values are,
     * the most negative last. Groups of one sign are left to the definition.
     */
    private static void bf16Group(int n, int[] pairs, int at, float[] min, float[] max, int to) {
        ShortVector signed = IntVector.fromArray(I, pairs, at).reinterpretAsShorts();
        ShortVector unsigned = signed;
        for (int i = L; i < n; i += L) {
            ShortVector v = IntVector.fromArray(I, pairs, at + i).reinterpretAsShorts();
            signed = signed.max(v);
            unsigned = unsigned.lanewise(VectorOperators.UMAX, v);
        }
        int high = signed.reduceLanes(VectorOperators.MAX);
        // Turned over, so that the order without signs is the one with signs.
        int low = unsigned.lanewise(VectorOperators.XOR, Short.MIN_VALUE).reduceLanes(VectorOperators.MAX);
        if (high < 0 || low < 0) {
            ScalarStoredFloats.INSTANCE.bf16Extremes(2 * n, 2 * n, pairs, at, min, max, to);
            return;
        }
        boolean number = high <= BF16_INFINITY && low <= BF16_INFINITY;
        min[to] = number ? -Float.intBitsToFloat(low << 16) : Float.NaN;
        max[to] = number ? Float.intBitsToFloat(high << 16) : Float.NaN;
    }

    @Override
    public void bf16Nibbles(int n, int[] pairs, int at, float scale, float zero, float qmin, float qmax, byte[] packed, int packedAt) {
        int low = MAGIC_BITS + (int) qmin - (int) zero;
        int high = MAGIC_BITS + (int) qmax - (int) zero;
        int done = n - n % (2 * L);
        nibbles(done / 2, pairs, at, scale, low, high, ((int) zero - MAGIC_BITS) * 17, packed, packedAt);
        if (done < n) {
            ScalarStoredFloats.INSTANCE.bf16Nibbles(n - done, pairs, at + done / 2, scale, zero, qmin, qmax, packed, packedAt + done / 2);
        }
    }

    /**
     * An int lane holds two neighbours, and the float32 of a bf16 is its bits with zeros behind: so the second one is the lane without its low half, the
     * first one the low half moved up. Their codes make a byte together.
     */
    private static void nibbles(int n, int[] pairs, int at, float scale, int low, int high, int back, byte[] packed, int packedAt) {
        for (int i = 0; i < n; i += L) {
            IntVector v = IntVector.fromArray(I, pairs, at + i);
            IntVector second = v.and(0xffff0000).reinterpretAsFloats().div(scale).add(MAGIC).reinterpretAsInts().max(low).min(high);
            IntVector first = v.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().div(scale).add(MAGIC).reinterpretAsInts().max(low).min(high);
            store(second.lanewise(VectorOperators.LSHL, 4).add(first).add(back), packed, packedAt + i);
        }
    }

    @Override
    public long subnormals(int n, float[] x, int at) {
        long count = 0;
        int i = 0;
        while (n - i >= L) {
            int piece = Math.min((n - i) / L * L, 1 << 20);
            count += subnormalPiece(piece, x, at + i);
            i += piece;
        }
        return count + StoredFloats.super.subnormals(n - i, x, at + i);
    }

    /** By signs: below the smallest normal number, less those that are zero. */
    private static int subnormalPiece(int n, float[] x, int at) {
        IntVector count = IntVector.zero(I);
        for (int i = 0; i < n; i += L) {
            IntVector m = FloatVector.fromArray(F, x, at + i).reinterpretAsInts().and(0x7fffffff);
            count = count.add(m.sub(0x00800000).lanewise(VectorOperators.LSHR, 31)).sub(m.sub(1).lanewise(VectorOperators.LSHR, 31));
        }
        return count.reduceLanes(VectorOperators.ADD);
    }
}
