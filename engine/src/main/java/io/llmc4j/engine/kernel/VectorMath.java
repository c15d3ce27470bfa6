package io.llmc4j.engine.kernel;

import static io.llmc4j.engine.kernel.FloatMath.*;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * {@link FloatMath} on vectors, the same steps in the same order. Vectors in and out: these only pay when they are inlined into a loop.
 *
 * <p>The compiler stops inlining methods of ours once a loop has taken in some 8000 bytecodes, which is about forty vector operations, and then
 * boxes every vector. So a function that needs more is done in passes over a scratch array, each a small loop ({@link VectorActivations}).
 */
final class VectorMath {

    private static final VectorSpecies<Float> F = Lanes.F;
    private static final int SIGN = 0x80000000;

    private VectorMath() {
    }

    static FloatVector exp(FloatVector x) {
        FloatVector v = x.min(EXP_MAX).max(EXP_MIN);
        FloatVector t = v.fma(FloatVector.broadcast(F, LOG2_E), FloatVector.broadcast(F, MAGIC));
        FloatVector k = t.sub(MAGIC);
        FloatVector r = k.fma(FloatVector.broadcast(F, -LN2_LO), k.fma(FloatVector.broadcast(F, -LN2_HI), v));
        FloatVector q = FloatVector.broadcast(F, E4).fma(r, FloatVector.broadcast(F, E3));
        q = q.fma(r, FloatVector.broadcast(F, E2));
        q = q.fma(r, FloatVector.broadcast(F, E1));
        q = q.fma(r, FloatVector.broadcast(F, E0));
        FloatVector p = r.mul(r).fma(q, r).add(1f);
        IntVector n = t.reinterpretAsInts().sub(MAGIC_BITS);
        IntVector half = n.lanewise(VectorOperators.ASHR, 1);
        FloatVector low = half.add(127).lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats();
        FloatVector high = n.sub(half).add(127).lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats();
        return p.mul(low).mul(high);
    }

    /** tanh x, given e = exp(2 |x|). */
    static FloatVector tanhFrom(FloatVector x, FloatVector e) {
        FloatVector s = x.mul(x);
        FloatVector q = FloatVector.broadcast(F, T5).fma(s, FloatVector.broadcast(F, T4));
        q = q.fma(s, FloatVector.broadcast(F, T3));
        q = q.fma(s, FloatVector.broadcast(F, T2));
        q = q.fma(s, FloatVector.broadcast(F, T1));
        q = q.fma(s, FloatVector.broadcast(F, T0));
        FloatVector small = x.mul(s).fma(q, x);
        FloatVector large = FloatVector.broadcast(F, 1f).sub(FloatVector.broadcast(F, 2f).div(e.add(1f)));
        return copySign(large.blend(small, x.abs().lt(TANH_SMALL)), x);
    }

    /** What erf takes the exponential of, for large |x|. */
    static FloatVector erfExponent(FloatVector x) {
        FloatVector t = x.abs().min(ERF_MAX);
        FloatVector r = FloatVector.broadcast(F, R7).fma(t, FloatVector.broadcast(F, R6));
        r = r.fma(t, FloatVector.broadcast(F, R5));
        r = r.fma(t, FloatVector.broadcast(F, R4));
        r = r.fma(t, FloatVector.broadcast(F, R3));
        r = r.fma(t, FloatVector.broadcast(F, R2));
        r = r.fma(t, FloatVector.broadcast(F, R1));
        r = r.fma(t, FloatVector.broadcast(F, R0));
        return t.fma(r, t).neg();
    }

    /** erf x, given e = exp(erfExponent(x)). */
    static FloatVector erfFrom(FloatVector x, FloatVector e) {
        FloatVector s = x.mul(x);
        FloatVector q = FloatVector.broadcast(F, S6).fma(s, FloatVector.broadcast(F, S5));
        q = q.fma(s, FloatVector.broadcast(F, S4));
        q = q.fma(s, FloatVector.broadcast(F, S3));
        q = q.fma(s, FloatVector.broadcast(F, S2));
        q = q.fma(s, FloatVector.broadcast(F, S1));
        q = q.fma(s, FloatVector.broadcast(F, S0));
        FloatVector large = copySign(FloatVector.broadcast(F, 1f).sub(e), x);
        return large.blend(x.fma(q, x), x.abs().lt(ERF_SMALL));
    }

    static FloatVector copySign(FloatVector magnitude, FloatVector sign) {
        IntVector s = sign.reinterpretAsInts().and(SIGN);
        return magnitude.reinterpretAsInts().and(~SIGN).or(s).reinterpretAsFloats();
    }

    /** To the nearest integer, ties to even, keeping the sign of zero: adding 2^23 to the magnitude leaves no room for a fraction. */
    static FloatVector round(FloatVector v) {
        FloatVector a = v.abs();
        FloatVector r = copySign(a.add(0x1p23f).sub(0x1p23f), v);
        return v.blend(r, a.lt(0x1p23f));
    }
}
