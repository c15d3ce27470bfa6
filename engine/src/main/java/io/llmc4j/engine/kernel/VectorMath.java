package io.llmc4j.engine.kernel;

import static io.llmc4j.engine.kernel.FloatMath.*;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/** {@link FloatMath} on vectors, the same steps in the same order. Vectors in and out: these only pay when they are inlined into a loop. */
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

    static FloatVector tanh(FloatVector x) {
        FloatVector a = x.abs();
        FloatVector s = x.mul(x);
        FloatVector q = FloatVector.broadcast(F, T5).fma(s, FloatVector.broadcast(F, T4));
        q = q.fma(s, FloatVector.broadcast(F, T3));
        q = q.fma(s, FloatVector.broadcast(F, T2));
        q = q.fma(s, FloatVector.broadcast(F, T1));
        q = q.fma(s, FloatVector.broadcast(F, T0));
        FloatVector small = x.mul(s).fma(q, x);
        FloatVector e = exp(a.mul(2f)).add(1f);
        FloatVector large = FloatVector.broadcast(F, 1f).sub(FloatVector.broadcast(F, 2f).div(e));
        return copySign(large.blend(small, a.lt(TANH_SMALL)), x);
    }

    static FloatVector erf(FloatVector x) {
        FloatVector s = x.mul(x);
        FloatVector q = FloatVector.broadcast(F, S6).fma(s, FloatVector.broadcast(F, S5));
        q = q.fma(s, FloatVector.broadcast(F, S4));
        q = q.fma(s, FloatVector.broadcast(F, S3));
        q = q.fma(s, FloatVector.broadcast(F, S2));
        q = q.fma(s, FloatVector.broadcast(F, S1));
        q = q.fma(s, FloatVector.broadcast(F, S0));
        FloatVector small = x.fma(q, x);
        FloatVector a = x.abs();
        FloatVector t = a.min(ERF_MAX);
        FloatVector r = FloatVector.broadcast(F, R7).fma(t, FloatVector.broadcast(F, R6));
        r = r.fma(t, FloatVector.broadcast(F, R5));
        r = r.fma(t, FloatVector.broadcast(F, R4));
        r = r.fma(t, FloatVector.broadcast(F, R3));
        r = r.fma(t, FloatVector.broadcast(F, R2));
        r = r.fma(t, FloatVector.broadcast(F, R1));
        r = r.fma(t, FloatVector.broadcast(F, R0));
        FloatVector large = copySign(FloatVector.broadcast(F, 1f).sub(exp(t.fma(r, t).neg())), x);
        return large.blend(small, a.lt(ERF_SMALL));
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

    /** x · sigmoid(alpha · x); the caller passes alpha 1 as a plain negation so that no rounding is added. */
    static FloatVector gated(FloatVector x, FloatVector exponent) {
        return x.div(exp(exponent).add(1f));
    }

    static FloatVector geluErf(FloatVector x) {
        return x.mul(0.5f).mul(erf(x.mul(SQRT_HALF)).add(1f));
    }

    static FloatVector geluTanh(FloatVector x) {
        FloatVector cubic = x.mul(GELU_CUBE).mul(x).fma(x, x);
        return x.mul(0.5f).mul(tanh(cubic.mul(SQRT_2_OVER_PI)).add(1f));
    }
}
