package io.llmc4j.engine.tensor;

/**
 * Exact conversions of single numbers between float32 and the small float formats, on their raw bits.
 *
 * <p>Decoding is exact: every value of a small format is a float32. Encoding rounds to nearest, ties to even, through the subnormals down to a
 * signed zero. A NaN becomes the format's quiet NaN with the sign kept. What is too large for the format:
 *
 * <table border="1">
 * <caption>overflow</caption>
 * <tr><th>format</th><th>largest</th><th>too large, or infinite</th><th>when saturating</th></tr>
 * <tr><td>f16 (IEEE 754 binary16)</td><td>65504</td><td>infinity</td><td></td></tr>
 * <tr><td>bf16</td><td>3.3895e38</td><td>infinity</td><td></td></tr>
 * <tr><td>f8_e4m3 (the "fn" variant: no infinity, NaN is S.1111.111)</td><td>448</td><td>NaN</td><td>±448</td></tr>
 * <tr><td>f8_e5m2 (IEEE-like)</td><td>57344</td><td>infinity</td><td>±57344</td></tr>
 * <tr><td>e8m0 (2^(code-127), 255 is NaN)</td><td>2^127</td><td>NaN</td><td>2^127 (infinity: NaN)</td></tr>
 * </table>
 *
 * Sources: IEEE 754-2019; Micikevicius et al., "FP8 formats for deep learning" (arXiv 2209.05433); OCP Microscaling formats, version 1.0.
 */
public final class Conversions {

    private static final float[] E4M3 = table(4, 3, 7, 0x7f);
    private static final float[] E5M2 = ieeeTable();
    private static final float[] E8M0 = scaleTable();
    private static final float[] E4M3FNUZ = fnuzTable(3, 8);
    private static final float[] E5M2FNUZ = fnuzTable(2, 16);

    private Conversions() {
    }

    public static float f16ToFloat(short bits) {
        return Float.float16ToFloat(bits);
    }

    public static short floatToF16(float v) {
        return Float.floatToFloat16(v);
    }

    public static float bf16ToFloat(short bits) {
        return Float.intBitsToFloat(bits << 16);
    }

    public static short floatToBf16(float v) {
        int i = Float.floatToRawIntBits(v);
        if ((i & 0x7fffffff) > 0x7f800000) {
            return (short) (i >>> 16 & 0x8000 | 0x7fc0);
        }
        return (short) (i + 0x7fff + (i >>> 16 & 1) >>> 16);
    }

    public static float e4m3ToFloat(byte bits) {
        return E4M3[bits & 0xff];
    }

    public static byte floatToE4m3(float v, boolean saturate) {
        return (byte) encode(v, 3, 7, 0x7e, 0x7f, saturate ? 0x7e : 0x7f);
    }

    public static float e5m2ToFloat(byte bits) {
        return E5M2[bits & 0xff];
    }

    public static byte floatToE5m2(float v, boolean saturate) {
        return (byte) encode(v, 2, 15, 0x7b, 0x7f, saturate ? 0x7b : 0x7c);
    }

    public static float e8m0ToFloat(byte bits) {
        return E8M0[bits & 0xff];
    }

    /**
     * The power of two nearest to {@code v}, half-way up (an exponent has no even mantissa to prefer). Zero and what is up to 2^-127 give 2^-127, and
     * what is between that and 2^-126 the latter (as torch and ml_dtypes have it);
     * negative numbers, infinities and NaN give the NaN code.
     */
    public static byte floatToE8m0(float v, boolean saturate) {
        int i = Float.floatToRawIntBits(v);
        if (i == 0x80000000) {
            return 0;
        }
        if (i < 0 || i >= 0x7f800000) {
            return (byte) 0xff;
        }
        int code = i < 0x00800000 ? (i > 0x00400000 ? 1 : 0) : i + 0x00400000 >>> 23;
        return (byte) (code == 255 && saturate ? 254 : code);
    }

    /** F8_E4M3FNUZ: bias 8, no negative zero, 0x80 is the only NaN. */
    public static float e4m3fnuzToFloat(byte bits) {
        return E4M3FNUZ[bits & 0xff];
    }

    /** F8_E5M2FNUZ: bias 16, no negative zero, 0x80 is the only NaN. */
    public static float e5m2fnuzToFloat(byte bits) {
        return E5M2FNUZ[bits & 0xff];
    }

    /** F4 is e2m1: 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives; the low four bits count. */
    public static float e2m1ToFloat(int code) {
        return decode(code & 7, 2, 1, 1) * ((code & 8) == 0 ? 1f : -1f);
    }

    public static float e2m3ToFloat(int code) {
        return decode(code & 31, 2, 3, 1) * ((code & 32) == 0 ? 1f : -1f);
    }

    public static float e3m2ToFloat(int code) {
        return decode(code & 31, 3, 2, 3) * ((code & 32) == 0 ? 1f : -1f);
    }

    /**
     * Rounds to a format of {@code mantissa} bits and exponent bias {@code bias} in eight bits, ties to even.
     *
     * @param largest the code of the largest finite value
     * @param over what a magnitude that rounds past it becomes
     */
    private static int encode(float v, int mantissa, int bias, int largest, int nan, int over) {
        int i = Float.floatToRawIntBits(v);
        int sign = i >>> 24 & 0x80;
        int abs = i & 0x7fffffff;
        if (abs > 0x7f800000) {
            return sign | nan;
        }
        int exponent = (abs >>> 23) - 127 + bias;
        int code;
        if (exponent >= 1) {
            int drop = 23 - mantissa;
            int rebased = abs - (127 - bias << 23);
            // carries into the exponent as it should: the codes of a float format are in the order of its values
            code = exponent > 255 ? 0x7fff : rebased + (1 << drop - 1) - 1 + (rebased >>> drop & 1) >>> drop;
        } else {
            int drop = 23 - mantissa + 1 - exponent;
            if (drop > 24) {
                return sign;
            }
            int full = abs & 0x7fffff | 0x800000;
            code = full + (1 << drop - 1) - 1 + (full >>> drop & 1) >>> drop;
        }
        return sign | (code > largest ? over : code);
    }

    /** The magnitude of a code without its sign: subnormal steps below exponent 1. */
    private static float decode(int code, int exponentBits, int mantissa, int bias) {
        int e = code >>> mantissa & (1 << exponentBits) - 1;
        int m = code & (1 << mantissa) - 1;
        return e == 0 ? Math.scalb((float) m, 1 - bias - mantissa) : Math.scalb((float) (m | 1 << mantissa), e - bias - mantissa);
    }

    private static float[] table(int exponentBits, int mantissa, int bias, int nan) {
        float[] t = new float[256];
        for (int c = 0; c < 256; c++) {
            t[c] = (c & 0x7f) >= nan ? Float.intBitsToFloat(c < 128 ? 0x7fc00000 : 0xffc00000)
                    : decode(c & 0x7f, exponentBits, mantissa, bias) * (c < 128 ? 1f : -1f);
        }
        return t;
    }

    private static float[] ieeeTable() {
        float[] t = table(5, 2, 15, 0x7d);
        t[0x7c] = Float.POSITIVE_INFINITY;
        t[0xfc] = Float.NEGATIVE_INFINITY;
        return t;
    }

    private static float[] scaleTable() {
        float[] t = new float[256];
        for (int c = 0; c < 255; c++) {
            t[c] = Math.scalb(1f, c - 127);
        }
        t[255] = Float.NaN;
        return t;
    }

    private static float[] fnuzTable(int mantissa, int bias) {
        float[] t = new float[256];
        for (int c = 0; c < 256; c++) {
            float v = decode(c & 0x7f, 7 - mantissa, mantissa, bias);
            t[c] = c < 128 ? v : -v;
        }
        t[128] = Float.NaN;
        return t;
    }
}
