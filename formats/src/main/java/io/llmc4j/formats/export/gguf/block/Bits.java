package io.llmc4j.formats.export.gguf.block;

/** Small conversions that every block format shares; little-endian. */
final class Bits {

    /** 1.5 · 2^23: added to a float below 2^22 in magnitude, it leaves the nearest integer (ties to even) in the low mantissa bits. */
    private static final float ROUNDER = 12582912f;

    private Bits() {
    }

    /** The nearest integer, ties to even, for |v| at most 2^22; outside, what the trick leaves in the mantissa (the bytes depend on it). */
    static int nearest(float v) {
        return (Float.floatToRawIntBits(v + ROUNDER) & 0x007fffff) - 0x00400000;
    }

    static int nearest(float v, int min, int max) {
        return Math.max(min, Math.min(max, nearest(v)));
    }

    /** Toward zero, with x86's answer where there is none (NaN, out of range): the smallest int, whose low byte is 0. */
    static int truncate(float v) {
        return Math.abs(v) < 0x1p31f ? (int) v : Integer.MIN_VALUE;
    }

    /** Nearest integer, halves away from zero; out of range as {@link #truncate}. */
    static int roundAway(float v) {
        float whole = (float) truncate(v);
        float rest = v - whole;
        return truncate(rest >= 0.5f ? whole + 1f : rest <= -0.5f ? whole - 1f : v);
    }

    static void putHalf(byte[] out, int at, float v) {
        putShort(out, at, Float.floatToFloat16(v));
    }

    static float half(byte[] in, int at) {
        return Float.float16ToFloat((short) shortAt(in, at));
    }

    static void putShort(byte[] out, int at, int v) {
        out[at] = (byte) v;
        out[at + 1] = (byte) (v >> 8);
    }

    static int shortAt(byte[] in, int at) {
        return (in[at] & 0xff) | (in[at + 1] & 0xff) << 8;
    }

    static void putInt(byte[] out, int at, int v) {
        putShort(out, at, v);
        putShort(out, at + 2, v >>> 16);
    }

    static int intAt(byte[] in, int at) {
        return shortAt(in, at) | shortAt(in, at + 2) << 16;
    }

    /** Sum of squares in order. */
    static float sumOfSquares(float[] x, int off, int n) {
        float sum = 0;
        for (int i = 0; i < n; i++) {
            sum += x[off + i] * x[off + i];
        }
        return sum;
    }

    /** out[i] = importance[i] · sqrt(sigma2 + x[i]²): how the K-quants and the legacy types weigh squared errors. */
    static void weigh(float[] x, int off, int n, float[] importance, int impOff, float sigma2, float[] out) {
        for (int i = 0; i < n; i++) {
            float v = x[off + i];
            out[i] = importance[impOff + i] * (float) Math.sqrt(sigma2 + v * v);
        }
    }

    static float sum(float[] w, int n) {
        float sum = 0;
        for (int i = 0; i < n; i++) {
            sum += w[i];
        }
        return sum;
    }
}
