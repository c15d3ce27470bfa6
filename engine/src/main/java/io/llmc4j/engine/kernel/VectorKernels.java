package io.llmc4j.engine.kernel;

import java.util.Objects;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * The SIMD twin of {@link ScalarKernels}. Loops over one row have the shape body, tail: the tail is scalar and calls the scalar definition,
 * so a value does not depend on where in a row it stands. Reductions live in {@link VectorReductions}, products in {@link VectorGemm}.
 */
public final class VectorKernels implements Kernels {

    private static final VectorSpecies<Float> F = Lanes.F;
    private static final int L = Lanes.L;
    private static final ThreadLocal<float[]> SCRATCH = ThreadLocal.withInitial(() -> new float[1024]);

    @Override
    public String name() {
        return "vector";
    }

    /** The width that {@code llmc4j.vector.bits} chose, in bits. */
    public int vectorBits() {
        return F.vectorBitSize();
    }

    @Override
    public void gemmNT(int m, int n, int k, float[] a, int aOff, int lda, float[] b, int bOff, int ldb, float[] c, int cOff, int ldc, boolean accumulate) {
        VectorGemm.run(m, n, k, a, aOff, lda, 1, b, bOff, 1, ldb, c, cOff, ldc, accumulate, false);
    }

    @Override
    public void gemmNN(int m, int n, int k, float[] a, int aOff, int lda, float[] b, int bOff, int ldb, float[] c, int cOff, int ldc, boolean accumulate) {
        VectorGemm.run(m, n, k, a, aOff, lda, 1, b, bOff, ldb, 1, c, cOff, ldc, accumulate, false);
    }

    @Override
    public void gemmTN(int m, int n, int k, float[] a, int aOff, int lda, float[] b, int bOff, int ldb, float[] c, int cOff, int ldc, boolean accumulate) {
        VectorGemm.run(m, n, k, a, aOff, 1, lda, b, bOff, ldb, 1, c, cOff, ldc, accumulate, false);
    }

    @Override
    public void lowerNT(int n, int k, float[] a, int aOff, int lda, float[] b, int bOff, int ldb, float[] c, int cOff, int ldc) {
        VectorGemm.run(n, n, k, a, aOff, lda, 1, b, bOff, 1, ldb, c, cOff, ldc, true, true);
    }

    @Override
    public void syrk(int rows, int n, float[] x, int xOff, int ldx, float[] h, int ldh) {
        VectorGemm.run(n, n, rows, x, xOff, 1, ldx, x, xOff, ldx, 1, h, 0, ldh, true, true);
        if (n > 1) {
            mirror(n, h, ldh);
        }
    }

    /** Copies the lower triangle onto the upper one, in tiles that stay in the cache. */
    private static void mirror(int n, float[] h, int ldh) {
        int tile = 32;
        int tiles = (n + tile - 1) / tile;
        Parallel.forRange(tiles, Math.max(1, (1 << 18) / (tile * n)), (from, to) -> {
            for (int t = from; t < to; t++) {
                int last = Math.min(n, t * tile + tile);
                for (int j = 0; j <= t; j++) {
                    mirrorTile(h, ldh, t * tile, last, j * tile, j * tile + tile);
                }
            }
        });
    }

    private static void mirrorTile(float[] h, int ldh, int iFrom, int iTo, int jFrom, int jTo) {
        if (Transposes.EIGHT && jTo <= iFrom && (iTo - iFrom) % 8 == 0) {
            for (int i = iFrom; i < iTo; i += 8) {
                Transposes.eightRows(jTo - jFrom, h, i * ldh + jFrom, ldh, h, jFrom * ldh + i, ldh);
            }
            return;
        }
        for (int i = iFrom; i < iTo; i++) {
            int to = Math.min(i, jTo);
            for (int j = jFrom; j < to; j++) {
                h[j * ldh + i] = h[i * ldh + j];
            }
        }
    }

    @Override
    public float dot(int n, float[] a, int aOff, float[] b, int bOff) {
        return VectorReductions.dot(n, a, aOff, b, bOff);
    }

    @Override
    public float sum(int n, float[] a, int aOff) {
        return VectorReductions.sum(n, a, aOff);
    }

    @Override
    public float squaredDistance(int n, float[] a, int aOff, float[] b, int bOff) {
        return VectorReductions.squaredDistance(n, a, aOff, b, bOff);
    }

    @Override
    public void axpy(int n, float alpha, float[] x, int xOff, float[] y, int yOff) {
        Objects.checkFromIndexSize(xOff, n, x.length);
        Objects.checkFromIndexSize(yOff, n, y.length);
        FloatVector va = FloatVector.broadcast(F, alpha);
        int i = 0;
        for (; i <= n - L; i += L) {
            FloatVector.fromArray(F, x, xOff + i).fma(va, FloatVector.fromArray(F, y, yOff + i)).intoArray(y, yOff + i);
        }
        for (; i < n; i++) {
            y[yOff + i] = Math.fma(alpha, x[xOff + i], y[yOff + i]);
        }
    }

    @Override
    public void subtractProducts(int n, int count, float[] a, int aOff, float[] x, int xOff, int ldx, float[] y, int yOff) {
        int i = 0;
        for (; i <= n - 4 * L; i += 4 * L) {
            subtractFour(count, a, aOff, x, xOff + i, ldx, y, yOff + i);
        }
        for (; i <= n - L; i += L) {
            FloatVector v = FloatVector.fromArray(F, y, yOff + i);
            for (int k = 0; k < count; k++) {
                v = v.sub(FloatVector.fromArray(F, x, xOff + k * ldx + i).mul(a[aOff + k]));
            }
            v.intoArray(y, yOff + i);
        }
        for (; i < n; i++) {
            float v = y[yOff + i];
            for (int k = 0; k < count; k++) {
                v -= a[aOff + k] * x[xOff + k * ldx + i];
            }
            y[yOff + i] = v;
        }
    }

    /** Four vectors of y stay in registers while k runs. */
    private static void subtractFour(int count, float[] a, int aOff, float[] x, int xOff, int ldx, float[] y, int yOff) {
        FloatVector v0 = FloatVector.fromArray(F, y, yOff);
        FloatVector v1 = FloatVector.fromArray(F, y, yOff + L);
        FloatVector v2 = FloatVector.fromArray(F, y, yOff + 2 * L);
        FloatVector v3 = FloatVector.fromArray(F, y, yOff + 3 * L);
        int at = xOff;
        for (int k = 0; k < count; k++) {
            FloatVector f = FloatVector.broadcast(F, a[aOff + k]);
            v0 = v0.sub(FloatVector.fromArray(F, x, at).mul(f));
            v1 = v1.sub(FloatVector.fromArray(F, x, at + L).mul(f));
            v2 = v2.sub(FloatVector.fromArray(F, x, at + 2 * L).mul(f));
            v3 = v3.sub(FloatVector.fromArray(F, x, at + 3 * L).mul(f));
            at += ldx;
        }
        v0.intoArray(y, yOff);
        v1.intoArray(y, yOff + L);
        v2.intoArray(y, yOff + 2 * L);
        v3.intoArray(y, yOff + 3 * L);
    }

    @Override
    public void multiply(int n, float[] a, int aOff, float[] b, int bOff, float[] out, int outOff) {
        int i = 0;
        for (; i <= n - L; i += L) {
            FloatVector.fromArray(F, a, aOff + i).mul(FloatVector.fromArray(F, b, bOff + i)).intoArray(out, outOff + i);
        }
        for (; i < n; i++) {
            out[outOff + i] = a[aOff + i] * b[bOff + i];
        }
    }

    @Override
    public void add(int n, float[] a, int aOff, float[] b, int bOff, float[] out, int outOff) {
        int i = 0;
        for (; i <= n - L; i += L) {
            FloatVector.fromArray(F, a, aOff + i).add(FloatVector.fromArray(F, b, bOff + i)).intoArray(out, outOff + i);
        }
        for (; i < n; i++) {
            out[outOff + i] = a[aOff + i] + b[bOff + i];
        }
    }

    @Override
    public void scale(int n, float alpha, float[] x, int xOff) {
        int i = 0;
        for (; i <= n - L; i += L) {
            FloatVector.fromArray(F, x, xOff + i).mul(alpha).intoArray(x, xOff + i);
        }
        for (; i < n; i++) {
            x[xOff + i] *= alpha;
        }
    }

    @Override
    public float min(int n, float[] a, int aOff) {
        return VectorReductions.min(n, a, aOff);
    }

    @Override
    public float max(int n, float[] a, int aOff) {
        return VectorReductions.max(n, a, aOff);
    }

    @Override
    public float absMax(int n, float[] a, int aOff) {
        return VectorReductions.absMax(n, a, aOff);
    }

    @Override
    public void softmax(int n, float[] x, int off) {
        if (n == 0) {
            return;
        }
        expOfDifference(n, x, off, max(n, x, off));
        divide(n, x, off, sum(n, x, off));
    }

    private static void expOfDifference(int n, float[] x, int off, float max) {
        int i = 0;
        for (; i <= n - L; i += L) {
            VectorMath.exp(FloatVector.fromArray(F, x, off + i).sub(max)).intoArray(x, off + i);
        }
        for (; i < n; i++) {
            x[off + i] = FloatMath.exp(x[off + i] - max);
        }
    }

    private static void divide(int n, float[] x, int off, float by) {
        int i = 0;
        for (; i <= n - L; i += L) {
            FloatVector.fromArray(F, x, off + i).div(by).intoArray(x, off + i);
        }
        for (; i < n; i++) {
            x[off + i] /= by;
        }
    }

    @Override
    public float logSumExp(int n, float[] x, int off) {
        float max = max(n, x, off);
        float[] e = SCRATCH.get();
        if (e.length < n) {
            e = new float[n];
            SCRATCH.set(e);
        }
        System.arraycopy(x, off, e, 0, n);
        expOfDifference(n, e, 0, max);
        return max + FloatMath.log(sum(n, e, 0));
    }

    @Override
    public void rmsNorm(int n, float[] x, int xOff, float[] weight, float eps, float[] out, int outOff) {
        float r = 1f / (float) Math.sqrt(dot(n, x, xOff, x, xOff) / n + eps);
        int i = 0;
        for (; i <= n - L; i += L) {
            FloatVector.fromArray(F, x, xOff + i).mul(r).mul(FloatVector.fromArray(F, weight, i)).intoArray(out, outOff + i);
        }
        for (; i < n; i++) {
            out[outOff + i] = x[xOff + i] * r * weight[i];
        }
    }

    @Override
    public void layerNorm(int n, float[] x, int xOff, float[] weight, float[] bias, float eps, float[] out, int outOff) {
        float mean = sum(n, x, xOff) / n;
        float r = 1f / (float) Math.sqrt(VectorReductions.squaredDeviation(n, x, xOff, mean) / n + eps);
        boolean biased = bias.length != 0;
        int i = 0;
        for (; i <= n - L; i += L) {
            FloatVector unit = FloatVector.fromArray(F, x, xOff + i).sub(mean).mul(r);
            FloatVector w = FloatVector.fromArray(F, weight, i);
            (biased ? unit.fma(w, FloatVector.fromArray(F, bias, i)) : unit.mul(w)).intoArray(out, outOff + i);
        }
        for (; i < n; i++) {
            float unit = (x[xOff + i] - mean) * r;
            out[outOff + i] = biased ? Math.fma(unit, weight[i], bias[i]) : unit * weight[i];
        }
    }

    @Override
    public void activate(Activation f, int n, float[] x, int off) {
        VectorActivations.activate(f, n, x, off);
    }

    @Override
    public void walshHadamard(int n, float[] x, int off) {
        ScalarKernels.checkPowerOfTwo(n);
        Objects.checkFromIndexSize(off, n, x.length);
        int h = 1;
        for (; h < n && h < L; h *= 2) {
            ScalarKernels.butterflies(n, x, off, h);
        }
        for (; h < n; h *= 2) {
            butterflies(n, x, off, h);
        }
    }

    private static void butterflies(int n, float[] x, int off, int h) {
        for (int i = off; i < off + n; i += 2 * h) {
            for (int j = i; j < i + h; j += L) {
                FloatVector a = FloatVector.fromArray(F, x, j);
                FloatVector b = FloatVector.fromArray(F, x, j + h);
                a.add(b).intoArray(x, j);
                a.sub(b).intoArray(x, j + h);
            }
        }
    }

    @Override
    public void fakeQuantize(int n, float[] x, int xOff, float scale, float zero, float qmin, float qmax, float[] out, int outOff) {
        int i = 0;
        for (; i <= n - L; i += L) {
            code(FloatVector.fromArray(F, x, xOff + i), scale, zero, qmin, qmax).sub(zero).mul(scale).intoArray(out, outOff + i);
        }
        for (; i < n; i++) {
            out[outOff + i] = (ScalarKernels.code(x[xOff + i], scale, zero, qmin, qmax) - zero) * scale;
        }
    }

    @Override
    public void quantize(int n, float[] x, int xOff, float scale, float zero, float qmin, float qmax, float[] codes, int outOff) {
        int i = 0;
        for (; i <= n - L; i += L) {
            code(FloatVector.fromArray(F, x, xOff + i), scale, zero, qmin, qmax).intoArray(codes, outOff + i);
        }
        for (; i < n; i++) {
            codes[outOff + i] = ScalarKernels.code(x[xOff + i], scale, zero, qmin, qmax);
        }
    }

    private static FloatVector code(FloatVector x, float scale, float zero, float qmin, float qmax) {
        return VectorMath.round(x.div(scale)).add(zero).min(qmax).max(qmin);
    }

    @Override
    public void fakeQuantizeFloat(int n, float[] x, int xOff, float scale, float outScale, int mantissa, float smallestNormal, float largest, float[] out,
                                  int outOff) {
        float adder = ScalarKernels.gridAdder(mantissa);
        int i = 0;
        for (; i <= n - L; i += L) {
            FloatVector v = FloatVector.fromArray(F, x, xOff + i).div(scale);
            FloatVector c = v.min(largest).max(-largest);
            FloatVector big = c.reinterpretAsInts().and(0x7f800000).reinterpretAsFloats().max(smallestNormal).mul(adder);
            IntVector magnitude = c.add(big).sub(big).reinterpretAsInts().and(0x7fffffff);
            magnitude.or(v.reinterpretAsInts().and(0x80000000)).reinterpretAsFloats().mul(outScale).intoArray(out, outOff + i);
        }
        for (; i < n; i++) {
            out[outOff + i] = ScalarKernels.onGrid(x[xOff + i] / scale, smallestNormal, largest, adder) * outScale;
        }
    }
}
