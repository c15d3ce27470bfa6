package io.llmc4j.engine.quant;

/**
 * Logarithm, exponential and powers to base two. {@link #log2f} and {@link #exp2f} are rounded correctly to float32 (evaluated by
 * StrictMath in double); {@link #pow} is a fast deterministic double, good to about 1e-13.
 */
final class Powers {

    private static final double LN2 = StrictMath.log(2);
    /** 2 / (ln 2 * (2k + 1)): log2 of (1 + z) / (1 - z) as a series in z. */
    private static final double[] LOG = new double[9];
    /** (ln 2)^k / k!. */
    private static final double[] EXP = new double[14];

    static {
        for (int k = 0; k < LOG.length; k++) {
            LOG[k] = 2 / (LN2 * (2 * k + 1));
        }
        EXP[0] = 1;
        for (int k = 1; k < EXP.length; k++) {
            EXP[k] = EXP[k - 1] * LN2 / k;
        }
    }

    private Powers() {
    }

    static float log2f(float v) {
        return (float) (StrictMath.log(v) / LN2);
    }

    static float exp2f(float v) {
        return (float) StrictMath.pow(2, v);
    }

    /** 1 / (1 + exp(-v)), correctly rounded but for rare ties. */
    static float sigmoid(float v) {
        return (float) (1 / (1 + StrictMath.exp(-(double) v)));
    }

    /** v^p for finite v above 0 that is a normal double. */
    static double pow(double v, double p) {
        return exp2(p * log2(v));
    }

    static double log2(double v) {
        long bits = Double.doubleToRawLongBits(v);
        long exponent = (bits >>> 52) - 1023;
        double m = Double.longBitsToDouble(bits & 0xfffffffffffffL | 1023L << 52);
        if (m > 1.4142135623730951) {
            m *= 0.5;
            exponent++;
        }
        double z = (m - 1) / (m + 1);
        double zz = z * z;
        double s = LOG[8];
        for (int k = 7; k >= 0; k--) {
            s = s * zz + LOG[k];
        }
        return s * z + exponent;
    }

    static double exp2(double t) {
        double n = Math.rint(t);
        double f = t - n;
        double s = EXP[13];
        for (int k = 12; k >= 0; k--) {
            s = s * f + EXP[k];
        }
        int exponent = (int) n;
        return exponent >= Double.MIN_EXPONENT && exponent <= Double.MAX_EXPONENT ? s * Double.longBitsToDouble(exponent + 1023L << 52)
                : Math.scalb(s, exponent);
    }
}
