package io.llmc4j.engine.kernel;

import static io.llmc4j.engine.kernel.FloatMath.GELU_CUBE;
import static io.llmc4j.engine.kernel.FloatMath.GELU_QUICK;
import static io.llmc4j.engine.kernel.FloatMath.SQRT_2_OVER_PI;
import static io.llmc4j.engine.kernel.FloatMath.SQRT_HALF;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/** Activation functions over a row: small loops, each compiled by itself, joined by a scratch array where one loop would be too large. */
final class VectorActivations {

    private static final VectorSpecies<Float> F = Lanes.F;
    private static final int L = Lanes.L;
    /** Elements that pass through the scratch array at a time; a multiple of every vector length. */
    private static final int CHUNK = 512;
    private static final ThreadLocal<float[]> SCRATCH = ThreadLocal.withInitial(() -> new float[CHUNK]);

    private VectorActivations() {
    }

    static void activate(Activation f, int n, float[] x, int off) {
        int done = switch (f) {
            case NONE -> n;
            case RELU -> relu(n, x, off);
            case SILU -> silu(n, x, off);
            case GELU_ERF, GELU_TANH -> gelu(f, n, x, off);
            case GELU_QUICK -> geluQuick(n, x, off);
            case RELU_SQUARED -> reluSquared(n, x, off);
        };
        for (int i = done; i < n; i++) {
            x[off + i] = FloatMath.activate(f, x[off + i]);
        }
    }

    // Each returns how many elements it did: a multiple of the vector length.

    private static int relu(int n, float[] x, int off) {
        int i = 0;
        for (; i <= n - L; i += L) {
            FloatVector.fromArray(F, x, off + i).max(0f).intoArray(x, off + i);
        }
        return i;
    }

    private static int reluSquared(int n, float[] x, int off) {
        int i = 0;
        for (; i <= n - L; i += L) {
            FloatVector v = FloatVector.fromArray(F, x, off + i).max(0f);
            v.mul(v).intoArray(x, off + i);
        }
        return i;
    }

    private static int silu(int n, float[] x, int off) {
        int i = 0;
        for (; i <= n - L; i += L) {
            FloatVector v = FloatVector.fromArray(F, x, off + i);
            v.div(VectorMath.exp(v.neg()).add(1f)).intoArray(x, off + i);
        }
        return i;
    }

    private static int geluQuick(int n, float[] x, int off) {
        int i = 0;
        for (; i <= n - L; i += L) {
            FloatVector v = FloatVector.fromArray(F, x, off + i);
            v.div(VectorMath.exp(v.mul(-GELU_QUICK)).add(1f)).intoArray(x, off + i);
        }
        return i;
    }

    private static int gelu(Activation f, int n, float[] x, int off) {
        float[] e = SCRATCH.get();
        int whole = n - n % L;
        for (int i = 0; i < whole; i += CHUNK) {
            int m = Math.min(CHUNK, whole - i);
            if (f == Activation.GELU_ERF) {
                erfExponents(m, x, off + i, e);
                exp(m, e);
                geluErf(m, x, off + i, e);
            } else {
                tanhExponents(m, x, off + i, e);
                exp(m, e);
                geluTanh(m, x, off + i, e);
            }
        }
        return whole;
    }

    private static void exp(int m, float[] e) {
        for (int i = 0; i < m; i += L) {
            VectorMath.exp(FloatVector.fromArray(F, e, i)).intoArray(e, i);
        }
    }

    private static void erfExponents(int m, float[] x, int off, float[] e) {
        for (int i = 0; i < m; i += L) {
            VectorMath.erfExponent(FloatVector.fromArray(F, x, off + i).mul(SQRT_HALF)).intoArray(e, i);
        }
    }

    private static void geluErf(int m, float[] x, int off, float[] e) {
        for (int i = 0; i < m; i += L) {
            FloatVector v = FloatVector.fromArray(F, x, off + i);
            FloatVector erf = VectorMath.erfFrom(v.mul(SQRT_HALF), FloatVector.fromArray(F, e, i));
            v.mul(0.5f).mul(erf.add(1f)).intoArray(x, off + i);
        }
    }

    private static void tanhExponents(int m, float[] x, int off, float[] e) {
        for (int i = 0; i < m; i += L) {
            cubic(FloatVector.fromArray(F, x, off + i)).abs().mul(2f).intoArray(e, i);
        }
    }

    private static void geluTanh(int m, float[] x, int off, float[] e) {
        for (int i = 0; i < m; i += L) {
            FloatVector v = FloatVector.fromArray(F, x, off + i);
            FloatVector tanh = VectorMath.tanhFrom(cubic(v), FloatVector.fromArray(F, e, i));
            v.mul(0.5f).mul(tanh.add(1f)).intoArray(x, off + i);
        }
    }

    private static FloatVector cubic(FloatVector v) {
        return v.mul(GELU_CUBE).mul(v).fma(v, v).mul(SQRT_2_OVER_PI);
    }
}
