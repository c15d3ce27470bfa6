package io.llmc4j.engine.quant;

/** From the ends of a range to its scale and zero point (spec 1.4). */
final class ScaleRule {

    /** Smallest width of a range. */
    static final float SMALLEST = 1e-5f;

    /** Exponents that E8M0 holds. */
    private static final int E8M0_MIN = -127;
    private static final int E8M0_MAX = 127;

    private static final float SMALLEST_LEVEL = 0.125f;

    private static final FloatGrid E4M3 = FloatGrid.of(NumberFormat.Float.of("e4m3", NumberFormat.Float.Path.NEAREST_EVEN));

    private ScaleRule() {
    }

    /** s = max(|lo|, |hi|, 1e-5) / qmax. */
    static QuantParams symmetric(Extremes e, float qmax) {
        float[] s = new float[e.lo().length];
        for (int r = 0; r < s.length; r++) {
            s[r] = symmetricScale(e.lo()[r], e.hi()[r], qmax);
        }
        return new QuantParams(s);
    }

    static float symmetricScale(float lo, float hi, float qmax) {
        return Math.max(Math.max(Math.abs(hi), Math.abs(lo)), SMALLEST) / qmax;
    }

    /**
     * Powers of two: exponent floor(log2 max) - Emax, where Emax is the exponent of the grid's largest value, and at least -127 (the code 0 of
     * E8M0, which an all-zero range gets).
     *
     * @param roundUp one more from a mantissa of 1.75 on
     */
    static QuantParams powerOfTwo(Extremes e, float qmax, boolean roundUp) {
        int largest = Math.getExponent(qmax);
        float[] s = new float[e.lo().length];
        for (int r = 0; r < s.length; r++) {
            float a = Math.max(Math.abs(e.hi()[r]), Math.abs(e.lo()[r]));
            if (a != a) {
                s[r] = Float.NaN;
                continue;
            }
            int bits = Float.floatToRawIntBits(a);
            int exponent = a < Float.MIN_NORMAL ? (a == 0f ? E8M0_MIN : Math.getExponent((double) a)) : ((bits + (roundUp ? 1 << 21 : 0)) >>> 23) - 127;
            s[r] = Math.scalb(1f, Math.min(Math.max(exponent - largest, E8M0_MIN), E8M0_MAX));
        }
        return new QuantParams(s);
    }

    /** The tensor's scale of two-level formats: 448 * 6 / max (reciprocal first, as compressed-tensors has it), a divisor; 1 for an all-zero tensor. */
    static float tensorScale(Extremes e, float qmax) {
        float a = 0;
        for (int r = 0; r < e.lo().length; r++) {
            a = Math.max(a, Math.max(Math.abs(e.hi()[r]), Math.abs(e.lo()[r])));
        }
        return a == 0f ? 1f : 1f / a * (E4M3.qmax() * qmax);
    }

    /** Two levels: s = e4m3(tensorScale * max / qmax); 1/8 where that is zero, so that nobody divides by it. */
    static QuantParams twoLevel(Extremes e, float qmax, float tensorScale) {
        float[] s = new float[e.lo().length];
        for (int r = 0; r < s.length; r++) {
            float a = Math.max(Math.abs(e.hi()[r]), Math.abs(e.lo()[r]));
            float level = E4M3.round(tensorScale * (a / qmax));
            s[r] = level == 0f ? SMALLEST_LEVEL : level;
        }
        return new QuantParams(s, new float[0], tensorScale, new float[0]);
    }

    /** s = max(hi - lo, 1e-5) / (qmax - qmin), z = clamp(qmin - rne(lo / s)), or qmin - lo / s where zero points are not rounded. */
    static QuantParams asymmetric(Extremes e, float qmin, float qmax, boolean roundZeroPoint) {
        float[] s = new float[e.lo().length];
        float[] z = new float[s.length];
        for (int r = 0; r < s.length; r++) {
            s[r] = asymmetricScale(e.lo()[r], e.hi()[r], qmin, qmax);
            z[r] = zeroPoint(e.lo()[r], s[r], qmin, qmax, roundZeroPoint);
        }
        return new QuantParams(s, z);
    }

    static float asymmetricScale(float lo, float hi, float qmin, float qmax) {
        return Math.max(hi - lo, SMALLEST) / (qmax - qmin);
    }

    static float zeroPoint(float lo, float scale, float qmin, float qmax, boolean round) {
        if (!round) {
            return qmin - lo / scale;
        }
        float z = qmin - (float) Math.rint(lo / scale);
        return Math.min(Math.max(z, qmin), qmax);
    }
}
