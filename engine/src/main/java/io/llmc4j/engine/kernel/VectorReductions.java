package io.llmc4j.engine.kernel;

import java.util.Objects;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * Reductions over sixteen virtual lanes: one vector of 512 bits, two of 256 or four of 128, so that element i is always added to lane i mod 16
 * in order. The last, incomplete sixteen are added under a mask (a lane without an element is left alone, it does not even add zero).
 *
 * <p>The vectors that a width does not use are dead code to the compiler, because the number of lanes is a constant.
 */
final class VectorReductions {

    private static final VectorSpecies<Float> F = Lanes.F;
    private static final VectorSpecies<Integer> I = Lanes.I;
    private static final int L = Lanes.L;
    private static final int LANES = Kernels.LANES;

    private VectorReductions() {
    }

    static float sum(int n, float[] a, int aOff) {
        Objects.checkFromIndexSize(aOff, n, a.length);
        FloatVector s0 = FloatVector.zero(F);
        FloatVector s1 = s0;
        FloatVector s2 = s0;
        FloatVector s3 = s0;
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            s0 = s0.add(FloatVector.fromArray(F, a, aOff + i));
            if (L < 16) {
                s1 = s1.add(FloatVector.fromArray(F, a, aOff + i + L));
            }
            if (L < 8) {
                s2 = s2.add(FloatVector.fromArray(F, a, aOff + i + 2 * L));
                s3 = s3.add(FloatVector.fromArray(F, a, aOff + i + 3 * L));
            }
        }
        if (i < n) {
            VectorMask<Float> m0 = Lanes.below(i, n);
            s0 = s0.add(FloatVector.fromArray(F, a, aOff + i, m0), m0);
            if (L < 16 && i + L < n) {
                VectorMask<Float> m1 = Lanes.below(i + L, n);
                s1 = s1.add(FloatVector.fromArray(F, a, aOff + i + L, m1), m1);
            }
            if (L < 8 && i + 2 * L < n) {
                VectorMask<Float> m2 = Lanes.below(i + 2 * L, n);
                s2 = s2.add(FloatVector.fromArray(F, a, aOff + i + 2 * L, m2), m2);
            }
            if (L < 8 && i + 3 * L < n) {
                VectorMask<Float> m3 = Lanes.below(i + 3 * L, n);
                s3 = s3.add(FloatVector.fromArray(F, a, aOff + i + 3 * L, m3), m3);
            }
        }
        return join(s0, s1, s2, s3);
    }

    static float dot(int n, float[] a, int aOff, float[] b, int bOff) {
        Objects.checkFromIndexSize(aOff, n, a.length);
        Objects.checkFromIndexSize(bOff, n, b.length);
        FloatVector s0 = FloatVector.zero(F);
        FloatVector s1 = s0;
        FloatVector s2 = s0;
        FloatVector s3 = s0;
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            s0 = FloatVector.fromArray(F, a, aOff + i).fma(FloatVector.fromArray(F, b, bOff + i), s0);
            if (L < 16) {
                s1 = FloatVector.fromArray(F, a, aOff + i + L).fma(FloatVector.fromArray(F, b, bOff + i + L), s1);
            }
            if (L < 8) {
                s2 = FloatVector.fromArray(F, a, aOff + i + 2 * L).fma(FloatVector.fromArray(F, b, bOff + i + 2 * L), s2);
                s3 = FloatVector.fromArray(F, a, aOff + i + 3 * L).fma(FloatVector.fromArray(F, b, bOff + i + 3 * L), s3);
            }
        }
        if (i < n) {
            VectorMask<Float> m0 = Lanes.below(i, n);
            s0 = s0.blend(FloatVector.fromArray(F, a, aOff + i, m0).fma(FloatVector.fromArray(F, b, bOff + i, m0), s0), m0);
            if (L < 16 && i + L < n) {
                VectorMask<Float> m1 = Lanes.below(i + L, n);
                s1 = s1.blend(FloatVector.fromArray(F, a, aOff + i + L, m1).fma(FloatVector.fromArray(F, b, bOff + i + L, m1), s1), m1);
            }
            if (L < 8 && i + 2 * L < n) {
                VectorMask<Float> m2 = Lanes.below(i + 2 * L, n);
                s2 = s2.blend(FloatVector.fromArray(F, a, aOff + i + 2 * L, m2).fma(FloatVector.fromArray(F, b, bOff + i + 2 * L, m2), s2), m2);
            }
            if (L < 8 && i + 3 * L < n) {
                VectorMask<Float> m3 = Lanes.below(i + 3 * L, n);
                s3 = s3.blend(FloatVector.fromArray(F, a, aOff + i + 3 * L, m3).fma(FloatVector.fromArray(F, b, bOff + i + 3 * L, m3), s3), m3);
            }
        }
        return join(s0, s1, s2, s3);
    }

    static float squaredDistance(int n, float[] a, int aOff, float[] b, int bOff) {
        Objects.checkFromIndexSize(aOff, n, a.length);
        Objects.checkFromIndexSize(bOff, n, b.length);
        FloatVector s0 = FloatVector.zero(F);
        FloatVector s1 = s0;
        FloatVector s2 = s0;
        FloatVector s3 = s0;
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            s0 = square(FloatVector.fromArray(F, a, aOff + i).sub(FloatVector.fromArray(F, b, bOff + i)), s0);
            if (L < 16) {
                s1 = square(FloatVector.fromArray(F, a, aOff + i + L).sub(FloatVector.fromArray(F, b, bOff + i + L)), s1);
            }
            if (L < 8) {
                s2 = square(FloatVector.fromArray(F, a, aOff + i + 2 * L).sub(FloatVector.fromArray(F, b, bOff + i + 2 * L)), s2);
                s3 = square(FloatVector.fromArray(F, a, aOff + i + 3 * L).sub(FloatVector.fromArray(F, b, bOff + i + 3 * L)), s3);
            }
        }
        if (i < n) {
            VectorMask<Float> m0 = Lanes.below(i, n);
            s0 = s0.blend(square(FloatVector.fromArray(F, a, aOff + i, m0).sub(FloatVector.fromArray(F, b, bOff + i, m0)), s0), m0);
            if (L < 16 && i + L < n) {
                VectorMask<Float> m1 = Lanes.below(i + L, n);
                s1 = s1.blend(square(FloatVector.fromArray(F, a, aOff + i + L, m1).sub(FloatVector.fromArray(F, b, bOff + i + L, m1)), s1), m1);
            }
            if (L < 8 && i + 2 * L < n) {
                VectorMask<Float> m2 = Lanes.below(i + 2 * L, n);
                s2 = s2.blend(square(FloatVector.fromArray(F, a, aOff + i + 2 * L, m2).sub(FloatVector.fromArray(F, b, bOff + i + 2 * L, m2)), s2), m2);
            }
            if (L < 8 && i + 3 * L < n) {
                VectorMask<Float> m3 = Lanes.below(i + 3 * L, n);
                s3 = s3.blend(square(FloatVector.fromArray(F, a, aOff + i + 3 * L, m3).sub(FloatVector.fromArray(F, b, bOff + i + 3 * L, m3)), s3), m3);
            }
        }
        return join(s0, s1, s2, s3);
    }

    static float squaredDeviation(int n, float[] a, int aOff, float mean) {
        Objects.checkFromIndexSize(aOff, n, a.length);
        FloatVector s0 = FloatVector.zero(F);
        FloatVector s1 = s0;
        FloatVector s2 = s0;
        FloatVector s3 = s0;
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            s0 = square(FloatVector.fromArray(F, a, aOff + i).sub(mean), s0);
            if (L < 16) {
                s1 = square(FloatVector.fromArray(F, a, aOff + i + L).sub(mean), s1);
            }
            if (L < 8) {
                s2 = square(FloatVector.fromArray(F, a, aOff + i + 2 * L).sub(mean), s2);
                s3 = square(FloatVector.fromArray(F, a, aOff + i + 3 * L).sub(mean), s3);
            }
        }
        if (i < n) {
            VectorMask<Float> m0 = Lanes.below(i, n);
            s0 = s0.blend(square(FloatVector.fromArray(F, a, aOff + i, m0).sub(mean), s0), m0);
            if (L < 16 && i + L < n) {
                VectorMask<Float> m1 = Lanes.below(i + L, n);
                s1 = s1.blend(square(FloatVector.fromArray(F, a, aOff + i + L, m1).sub(mean), s1), m1);
            }
            if (L < 8 && i + 2 * L < n) {
                VectorMask<Float> m2 = Lanes.below(i + 2 * L, n);
                s2 = s2.blend(square(FloatVector.fromArray(F, a, aOff + i + 2 * L, m2).sub(mean), s2), m2);
            }
            if (L < 8 && i + 3 * L < n) {
                VectorMask<Float> m3 = Lanes.below(i + 3 * L, n);
                s3 = s3.blend(square(FloatVector.fromArray(F, a, aOff + i + 3 * L, m3).sub(mean), s3), m3);
            }
        }
        return join(s0, s1, s2, s3);
    }

    private static FloatVector square(FloatVector d, FloatVector s) {
        return d.fma(d, s);
    }

    /** The fixed tree of {@link ScalarKernels}: lane j with j + 8, then j + 4, j + 2, j + 1. */
    private static float join(FloatVector s0, FloatVector s1, FloatVector s2, FloatVector s3) {
        if (L == 16) {
            return four((s0.lane(0) + s0.lane(8)) + (s0.lane(4) + s0.lane(12)), (s0.lane(1) + s0.lane(9)) + (s0.lane(5) + s0.lane(13)),
                    (s0.lane(2) + s0.lane(10)) + (s0.lane(6) + s0.lane(14)), (s0.lane(3) + s0.lane(11)) + (s0.lane(7) + s0.lane(15)));
        }
        if (L == 8) {
            FloatVector s = s0.add(s1);
            return four(s.lane(0) + s.lane(4), s.lane(1) + s.lane(5), s.lane(2) + s.lane(6), s.lane(3) + s.lane(7));
        }
        FloatVector s = s0.add(s2).add(s1.add(s3));
        return four(s.lane(0), s.lane(1), s.lane(2), s.lane(3));
    }

    private static float four(float a, float b, float c, float d) {
        return (a + c) + (b + d);
    }

    static float min(int n, float[] a, int aOff) {
        ScalarKernels.checkNotEmpty(n);
        Objects.checkFromIndexSize(aOff, n, a.length);
        FloatVector m0 = FloatVector.broadcast(F, Float.POSITIVE_INFINITY);
        FloatVector m1 = m0;
        int i = 0;
        for (; i <= n - 2 * L; i += 2 * L) {
            m0 = m0.min(FloatVector.fromArray(F, a, aOff + i));
            m1 = m1.min(FloatVector.fromArray(F, a, aOff + i + L));
        }
        float m = m0.min(m1).reduceLanes(VectorOperators.MIN);
        for (; i < n; i++) {
            m = Math.min(m, a[aOff + i]);
        }
        return m;
    }

    static float max(int n, float[] a, int aOff) {
        ScalarKernels.checkNotEmpty(n);
        Objects.checkFromIndexSize(aOff, n, a.length);
        FloatVector m0 = FloatVector.broadcast(F, Float.NEGATIVE_INFINITY);
        FloatVector m1 = m0;
        int i = 0;
        for (; i <= n - 2 * L; i += 2 * L) {
            m0 = m0.max(FloatVector.fromArray(F, a, aOff + i));
            m1 = m1.max(FloatVector.fromArray(F, a, aOff + i + L));
        }
        float m = m0.max(m1).reduceLanes(VectorOperators.MAX);
        for (; i < n; i++) {
            m = Math.max(m, a[aOff + i]);
        }
        return m;
    }

    /** Magnitudes of floats are ordered as their bits are, NaN above infinity: an integer maximum is enough. */
    static float absMax(int n, float[] a, int aOff) {
        Objects.checkFromIndexSize(aOff, n, a.length);
        IntVector m0 = IntVector.zero(I);
        IntVector m1 = m0;
        int i = 0;
        for (; i <= n - 2 * L; i += 2 * L) {
            m0 = m0.max(FloatVector.fromArray(F, a, aOff + i).reinterpretAsInts().and(0x7fffffff));
            m1 = m1.max(FloatVector.fromArray(F, a, aOff + i + L).reinterpretAsInts().and(0x7fffffff));
        }
        int m = m0.max(m1).reduceLanes(VectorOperators.MAX);
        for (; i < n; i++) {
            m = Math.max(m, Float.floatToRawIntBits(a[aOff + i]) & 0x7fffffff);
        }
        return Float.intBitsToFloat(m);
    }
}
