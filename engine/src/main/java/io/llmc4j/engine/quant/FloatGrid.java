package io.llmc4j.engine.quant;

import io.llmc4j.engine.kernel.Kernels;

/**
 * A small float with a fixed grid: sign, e exponent and m mantissa bits, subnormals, no exponent reserved for infinities
 * (spec 1.12; OCP 8-bit and microscaling formats). Zero points are not looked at: small floats are symmetric.
 *
 * @param qmax    what scales are computed against
 * @param codeMax largest magnitude that the stored format has (e4m3: 448, e5m2: 57344, else all of the grid)
 */
record FloatGrid(int e, int m, float qmax, float codeMax, Rounding rounding) implements Grid {

    /** AWAY and EVEN: the bit procedure of spec 1.12 with its two ways at ties. IEEE: one exact rounding, saturating at codeMax. */
    enum Rounding { AWAY, EVEN, IEEE }

    static FloatGrid of(NumberFormat.Float f) {
        Rounding rounding = switch (f.path()) {
            case EMULATED -> Rounding.AWAY;
            case EMULATED_EVEN -> Rounding.EVEN;
            case NEAREST_EVEN, ADAPTIVE -> Rounding.IEEE;
        };
        return new FloatGrid(f.exponent(), f.mantissa(), f.qmax(), stored(f.exponent(), f.mantissa()), rounding);
    }

    /** Largest finite magnitude of the stored format: e4m3 keeps one code for NaN, e5m2 an exponent for NaN and infinity. */
    static float stored(int e, int m) {
        return e == 4 && m == 3 ? 448f : e == 5 && m == 2 ? 57344f : largest(e, m);
    }

    /** 2^Emax * (2 - 2^-m), with Emax = 2^(e-1). */
    static float largest(int e, int m) {
        return Math.scalb(2f - Math.scalb(1f, -m), 1 << (e - 1));
    }

    /** Exponent of the smallest normal value. */
    private int smallestExponent() {
        return 2 - (1 << (e - 1));
    }

    @Override
    public float qmin() {
        return -qmax;
    }

    /** v on the grid. NaN stays NaN. */
    float round(float v) {
        float[] one = {v};
        fakeQuantize(1, one, 0, 1f, 0f, 1f, one, 0);
        return one[0];
    }

    private float smallestNormal() {
        return Float.intBitsToFloat((127 + smallestExponent()) << 23);
    }

    /** LLMC's library: rounds the bits; below the smallest normal value it first adds that value (one float32 rounding more). */
    private float roundBits(float v, boolean even) {
        if (v != v) {
            return v;
        }
        int bits = Float.floatToRawIntBits(v);
        int exponent = ((bits >>> 23) & 0xff) - 127;
        if (exponent < smallestExponent()) {
            float h = Math.copySign(Float.intBitsToFloat((127 + smallestExponent()) << 23), v);
            return Float.intBitsToFloat(drop(Float.floatToRawIntBits(v + h), even)) - h;
        }
        int u = drop(bits, even);
        boolean beyond = ((u >>> 23) & 0xff) - 127 > 1 << (e - 1);
        return beyond ? Math.copySign(largest(e, m), v) : Float.intBitsToFloat(u);
    }

    /** Clears the mantissa bits that the format lacks, after adding half a unit (one less at a tie that goes down to even). */
    private int drop(int bits, boolean even) {
        int half = 1 << (22 - m);
        int odd = even ? (bits >>> (23 - m)) & 1 : 1;
        return (bits + half - 1 + odd) & -(1 << (23 - m));
    }

    @Override
    public void fakeQuantize(int n, float[] x, int xOff, float scale, float zero, float outScale, float[] out, int outOff) {
        float s = scale == 0f ? 1f : scale;
        float t = outScale == 0f && scale == 0f ? 1f : outScale;
        if (rounding == Rounding.IEEE) {
            Kernels.get().fakeQuantizeFloat(n, x, xOff, s, t, m, smallestNormal(), codeMax, out, outOff);
            return;
        }
        for (int i = 0; i < n; i++) {
            out[outOff + i] = roundBits(x[xOff + i] / s, rounding == Rounding.EVEN) * t;
        }
    }

    @Override
    public void fakeQuantizeEach(int n, float[] x, int xOff, float[] scales, float[] zeros, float[] out, int outOff) {
        for (int i = 0; i < n; i++) {
            fakeQuantize(1, x, xOff + i, scales[i], 0f, scales[i], out, outOff + i);
        }
    }

    @Override
    public void codes(int n, float[] x, int xOff, float scale, float zero, byte[] out, int outOff) {
        float s = scale == 0f ? 1f : scale;
        float smallest = smallestNormal();
        int base = (126 + smallestExponent()) << m;
        float[] rounded = new float[n];
        fakeQuantize(n, x, xOff, s, zero, 1f, rounded, 0);
        for (int i = 0; i < n; i++) {
            out[outOff + i] = (byte) encode(rounded[i], codeMax, smallest, base, e, m);
        }
    }

    /**
     * Bit pattern, sign highest, of a finite value of the grid; larger magnitudes than the stored format has become its largest. A subnormal
     * value is lined up by adding the smallest normal one, which the lower exponent field takes away again.
     */
    private static int encode(float y, float largest, float smallestNormal, int base, int e, int m) {
        float a = Math.min(Math.abs(y), largest);
        float shift = a < smallestNormal ? smallestNormal : 0f;
        int lowered = a < smallestNormal ? 1 << m : 0;
        int magnitude = (Float.floatToRawIntBits(a + shift) >>> (23 - m)) - base - lowered;
        return magnitude | Float.floatToRawIntBits(y) >>> 31 << (e + m);
    }

    /** The value of a bit pattern. Patterns that the stored format keeps for NaN and infinity are NaN. */
    float decode(int code) {
        int field = (code >>> m) & ((1 << e) - 1);
        int mantissa = code & ((1 << m) - 1);
        float a = field == 0 ? Math.scalb((float) mantissa, smallestExponent() - m)
                : Math.scalb(1f + Math.scalb((float) mantissa, -m), smallestExponent() + field - 1);
        if (a > codeMax) {
            return Float.NaN;
        }
        return (code >>> (e + m) & 1) == 1 ? -a : a;
    }

    @Override
    public float[] values() {
        float[] v = new float[256];
        for (int i = 0; i < 256; i++) {
            v[i] = decode(i & ((1 << (1 + e + m)) - 1));
        }
        return v;
    }
}
