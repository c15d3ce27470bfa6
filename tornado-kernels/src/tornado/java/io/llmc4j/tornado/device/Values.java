package io.llmc4j.tornado.device;

import java.util.SplittableRandom;
import uk.ac.manchester.tornado.api.types.arrays.ByteArray;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;

/**
 * Numbers for checks.
 *
 * @param exact products of any two are exact in float32, so that a fused multiply-add and two roundings give the same bits: the Java body of a kernel can then
 *              be held to a definition that fuses
 */
record Values(SplittableRandom random, boolean exact) {

    Values(long seed, boolean exact) {
        this(new SplittableRandom(seed), exact);
    }

    /** Ordinary size; a few far from the others, zeros of both signs. */
    float[] floats(int n) {
        float[] v = new float[n];
        for (int i = 0; i < n; i++) {
            int kind = random.nextInt(40);
            double x = random.nextGaussian() * (kind == 0 ? Math.scalb(1.0, random.nextInt(-20, 20)) : 1);
            v[i] = kind == 1 ? (random.nextBoolean() ? 0f : -0f) : exact ? few((float) x) : (float) x;
        }
        return v;
    }

    /** Eleven bits of mantissa: the product of two has 22. */
    private static float few(float x) {
        return Float.intBitsToFloat(Float.floatToRawIntBits(x) & 0xffffe000);
    }

    float positive() {
        return (float) Math.exp(random.nextGaussian());
    }

    byte[] codes(int n, int bits) {
        byte[] c = new byte[n];
        for (int i = 0; i < n; i++) {
            c[i] = (byte) random.nextInt(1 << bits);
        }
        return c;
    }

    static void put(float[] from, FloatArray to) {
        for (int i = 0; i < from.length; i++) {
            to.set(i, from[i]);
        }
    }

    static void put(byte[] from, ByteArray to) {
        for (int i = 0; i < from.length; i++) {
            to.set(i, from[i]);
        }
    }

    /** Outputs before a launch: a number that no kernel gives. */
    static void spoil(FloatArray a) {
        for (int i = 0; i < a.getSize(); i++) {
            a.set(i, -12345.678f);
        }
    }

    /** The first element whose bits differ; NaN equals NaN. */
    static String difference(String name, float[] want, FloatArray got) {
        for (int i = 0; i < want.length; i++) {
            if (Float.floatToIntBits(want[i]) != Float.floatToIntBits(got.get(i))) {
                return name + "[" + i + "] is " + got.get(i) + " where the definition gives " + want[i];
            }
        }
        return "";
    }

    /** As {@link #difference}, but only NaN where the other has none is an error beyond this many units in the last place. */
    static String nearly(String name, float[] want, FloatArray got, int ulps) {
        for (int i = 0; i < want.length; i++) {
            float allowed = ulps * Math.max(Math.ulp(want[i]), Float.MIN_VALUE);
            if (!(Math.abs(want[i] - got.get(i)) <= allowed) && Float.floatToIntBits(want[i]) != Float.floatToIntBits(got.get(i))) {
                return name + "[" + i + "] is " + got.get(i) + " where the definition gives " + want[i];
            }
        }
        return "";
    }
}
