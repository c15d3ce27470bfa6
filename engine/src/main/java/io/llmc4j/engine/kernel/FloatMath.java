package io.llmc4j.engine.kernel;

/**
 * exp, log, tanh and erf in float32, at most 2 units in the last place from the true value, by polynomials in fused steps.
 *
 * <p>{@code Math.exp} and its kin are intrinsics whose last bit may differ between interpreter, compiled code, machines and vector libraries.
 * These have one definition, which {@link VectorKernels} follows step by step, so a run gives the same bytes everywhere.
 * The coefficients are minimax fits of our own, rounded to float32 from the lowest power up with the others refitted.
 */
public final class FloatMath {

    /** 1.5 · 2^23: adding it rounds to an integer (ties to even), and leaves that integer in the low bits. */
    static final float MAGIC = 12582912f;
    static final int MAGIC_BITS = Float.floatToRawIntBits(MAGIC);

    static final float LOG2_E = 1.44269504f;
    /** ln 2 in two parts; the high one has few enough bits that its products with exponents are exact. */
    static final float LN2_HI = 0.693359375f;
    static final float LN2_LO = -2.12194440e-4f;
    /** Beyond these exp is 0 or infinity in float32. */
    static final float EXP_MIN = -105f;
    static final float EXP_MAX = 89f;
    /** e^r = 1 + r + r² (E0 + E1 r + …) for |r| up to ln 2 / 2. */
    static final float E0 = 0.49999994f;
    static final float E1 = 0.16666521f;
    static final float E2 = 0.04166827f;
    static final float E3 = 0.008368677f;
    static final float E4 = 0.0013820411f;

    /** tanh x = x + x³ (T0 + T1 x² + …) below this, 1 - 2 / (e^2x + 1) above. */
    static final float TANH_SMALL = 0.625f;
    static final float T0 = -0.3333333f;
    static final float T1 = 0.13333221f;
    static final float T2 = -0.053948183f;
    static final float T3 = 0.021706937f;
    static final float T4 = -0.00819017f;
    static final float T5 = 0.0021528674f;

    /** erf x = x + x (S0 + S1 x² + …) below this, 1 - exp(-x - x (R0 + R1 x + …)) above; 1 from ERF_MAX on. */
    static final float ERF_SMALL = 0.925f;
    static final float ERF_MAX = 3.95f;
    static final float S0 = 0.12837917f;
    static final float S1 = -0.3761263f;
    static final float S2 = 0.11283626f;
    static final float S3 = -0.026855728f;
    static final float S4 = 0.0051923813f;
    static final float S5 = -8.049304e-4f;
    static final float S6 = 7.993787e-5f;
    static final float R0 = 0.12855439f;
    static final float R1 = 0.6356131f;
    static final float R2 = 0.10528629f;
    static final float R3 = -0.022698952f;
    static final float R4 = 0.0029454636f;
    static final float R5 = -5.5121607e-5f;
    static final float R6 = -4.4495147e-5f;
    static final float R7 = 4.849033e-6f;

    /** √(2/π) and 0.044715 of the tanh form of GELU; 1.702 of the sigmoid form; √½ of the erf form. */
    static final float SQRT_2_OVER_PI = 0.7978845608f;
    static final float GELU_CUBE = 0.044715f;
    static final float GELU_QUICK = 1.702f;
    static final float SQRT_HALF = 0.7071067812f;

    private FloatMath() {
    }

    public static float exp(float x) {
        // Math.min and max keep NaN, and so does the product at the end.
        float v = Math.max(Math.min(x, EXP_MAX), EXP_MIN);
        float t = Math.fma(v, LOG2_E, MAGIC);
        float k = t - MAGIC;
        float r = Math.fma(k, -LN2_LO, Math.fma(k, -LN2_HI, v));
        float q = Math.fma(Math.fma(Math.fma(Math.fma(E4, r, E3), r, E2), r, E1), r, E0);
        float p = Math.fma(r * r, q, r) + 1f;
        // Two factors, because 2^k itself may be subnormal or too large; only the second product can round.
        int n = Float.floatToRawIntBits(t) - MAGIC_BITS;
        int half = n >> 1;
        return p * Float.intBitsToFloat((half + 127) << 23) * Float.intBitsToFloat((n - half + 127) << 23);
    }

    /** Natural logarithm: NaN below zero, -infinity at zero. */
    public static float log(float x) {
        if (!(x > 0f) || x == Float.POSITIVE_INFINITY) {
            return x == 0f ? Float.NEGATIVE_INFINITY : x > 0f ? x : Float.NaN;
        }
        int shift = 0;
        float v = x;
        if (v < Float.MIN_NORMAL) {
            v *= 0x1p24f;
            shift = -24;
        }
        int bits = Float.floatToRawIntBits(v);
        // Split so that the mantissa lies in [√½, √2).
        int e = (bits - 0x3f3504f3) >> 23;
        float f = Float.intBitsToFloat(bits - (e << 23)) - 1f;
        float k = e + shift;
        float q = Math.fma(0.06750956f, f, -0.11671449f);
        q = Math.fma(q, f, 0.11883568f);
        q = Math.fma(q, f, -0.12406032f);
        q = Math.fma(q, f, 0.14220327f);
        q = Math.fma(q, f, -0.16667996f);
        q = Math.fma(q, f, 0.20002073f);
        q = Math.fma(q, f, -0.2500001f);
        q = Math.fma(q, f, 0.33333313f);
        float s = f * f;
        float tail = Math.fma(s * f, q, k * LN2_LO);
        return Math.fma(k, LN2_HI, f + Math.fma(-0.5f, s, tail));
    }

    public static float tanh(float x) {
        float a = Math.abs(x);
        float s = x * x;
        float q = Math.fma(Math.fma(Math.fma(Math.fma(Math.fma(T5, s, T4), s, T3), s, T2), s, T1), s, T0);
        float small = Math.fma(x * s, q, x);
        float large = 1f - 2f / (exp(2f * a) + 1f);
        return Math.copySign(a < TANH_SMALL ? small : large, x);
    }

    /** The error function. */
    public static float erf(float x) {
        float s = x * x;
        float q = Math.fma(Math.fma(Math.fma(Math.fma(Math.fma(Math.fma(S6, s, S5), s, S4), s, S3), s, S2), s, S1), s, S0);
        float small = Math.fma(x, q, x);
        float a = Math.abs(x);
        float t = Math.min(a, ERF_MAX);
        float r = Math.fma(Math.fma(Math.fma(Math.fma(R7, t, R6), t, R5), t, R4), t, R3);
        r = Math.fma(Math.fma(Math.fma(r, t, R2), t, R1), t, R0);
        float large = Math.copySign(1f - exp(-Math.fma(t, r, t)), x);
        return a < ERF_SMALL ? small : large;
    }

    /** 1 / (1 + e^-x). */
    public static float sigmoid(float x) {
        return 1f / (1f + exp(-x));
    }

    /** One value of an activation function. */
    public static float activate(Activation f, float x) {
        return switch (f) {
            case NONE -> x;
            case RELU -> Math.max(x, 0f);
            case SILU -> x / (1f + exp(-x));
            case GELU_ERF -> 0.5f * x * (1f + erf(x * SQRT_HALF));
            case GELU_TANH -> 0.5f * x * (1f + tanh(SQRT_2_OVER_PI * Math.fma(GELU_CUBE * x * x, x, x)));
            case GELU_QUICK -> x / (1f + exp(-GELU_QUICK * x));
            case RELU_SQUARED -> Math.max(x, 0f) * Math.max(x, 0f);
        };
    }
}
