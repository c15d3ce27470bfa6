package io.llmc4j.engine.quant;

/** From the ends of a range to its scale and zero point (spec 1.4). */
final class ScaleRule {

    /** Smallest width of a range. */
    static final float SMALLEST = 1e-5f;

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
