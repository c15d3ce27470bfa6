package io.llmc4j.tornado.device;

import uk.ac.manchester.tornado.api.math.TornadoMath;

/** Single values inside kernels, in the roundings of the engine's definitions. */
final class Rounding {

    private Rounding() {
    }

    /** To the nearest integer, ties to even, the sign kept: Math.rint, which does not compile to a kernel. */
    static float halfEven(float v) {
        float low = TornadoMath.floor(v);
        float above = v - low;
        float up = low + 1f;
        float r = above > 0.5f ? up : low;
        if (above == 0.5f) {
            float half = low * 0.5f;
            r = TornadoMath.floor(half) == half ? low : up;
        }
        // A zero that came from below is negative.
        return r == 0f ? v * 0f : r;
    }

    /** A code of an integer grid, as a float: clamp(rne(x / scale) + zero). NaN stays NaN. */
    static float code(float x, float scale, float zero, float qmin, float qmax) {
        float q = halfEven(x / scale) + zero;
        float low = q > qmax ? qmax : q;
        return low < qmin ? qmin : low;
    }

    /**
     * The nearest value of a small float's grid, ties to even, saturating: adding and taking away a number whose last bit is worth the value's spacing.
     *
     * @param adder times a power of two: that number; see the engine's scalar kernels
     */
    static float onGrid(float v, float smallestNormal, float largest, float adder) {
        float a = v < 0f ? 0f - v : v;
        float c = a > largest ? largest : a;
        float power = smallestNormal;
        // The value's own power of two, from below.
        for (int i = 0; i < 32; i++) {
            float next = power * 2f;
            power = next <= c ? next : power;
        }
        float big = power * adder;
        float up = c + big;
        float r = up - big;
        // The sign of v, also where r is zero.
        return v < 0f ? r * -1f : v == 0f ? v : v != v ? v : r;
    }

    /** 2^n for n from -126 to 127, exact. */
    static float powerOfTwo(int n) {
        int e = n < 0 ? 0 - n : n;
        float step = n < 0 ? 0.5f : 2f;
        float r = 1f;
        for (int i = 0; i < 7; i++) {
            if ((e & 1) == 1) {
                r = r * step;
            }
            e = e >> 1;
            step = step * step;
        }
        return r;
    }

    /** e^x by the engine's polynomial, step by step. */
    static float exponential(float x) {
        float high = x > 89f ? 89f : x;
        float v = high < -105f ? -105f : high;
        float t = v * 1.44269504f + 12582912f;
        float k = t - 12582912f;
        float first = k * -0.693359375f + v;
        float r = k * 2.12194440e-4f + first;
        float q4 = 0.0013820411f * r + 0.008368677f;
        float q3 = q4 * r + 0.04166827f;
        float q2 = q3 * r + 0.16666521f;
        float q = q2 * r + 0.49999994f;
        float square = r * r;
        float most = square * q + r;
        float p = most + 1f;
        int n = (int) k;
        int half = n >> 1;
        return p * powerOfTwo(half) * powerOfTwo(n - half);
    }
}
