package io.llmc4j.engine.kernel;

import java.util.Objects;

/** The readable definition of every kernel. {@link VectorKernels} must give these bits. */
public final class ScalarKernels implements Kernels {

    @Override
    public String name() {
        return "scalar";
    }

    @Override
    public void gemmNT(int m, int n, int k, float[] a, int aOff, int lda, float[] b, int bOff, int ldb, float[] c, int cOff, int ldc, boolean accumulate) {
        product(m, n, k, a, aOff, lda, 1, b, bOff, 1, ldb, c, cOff, ldc, accumulate);
    }

    @Override
    public void gemmNN(int m, int n, int k, float[] a, int aOff, int lda, float[] b, int bOff, int ldb, float[] c, int cOff, int ldc, boolean accumulate) {
        product(m, n, k, a, aOff, lda, 1, b, bOff, ldb, 1, c, cOff, ldc, accumulate);
    }

    @Override
    public void gemmTN(int m, int n, int k, float[] a, int aOff, int lda, float[] b, int bOff, int ldb, float[] c, int cOff, int ldc, boolean accumulate) {
        product(m, n, k, a, aOff, 1, lda, b, bOff, ldb, 1, c, cOff, ldc, accumulate);
    }

    /** A by (row step, k step), B by (k step, column step): one loop for every transposition. */
    private static void product(int m, int n, int k, float[] a, int aOff, int aRow, int aK, float[] b, int bOff, int bK, int bCol,
                                float[] c, int cOff, int ldc, boolean accumulate) {
        checkProduct(m, n, k, a, aOff, aRow, aK, b, bOff, bK, bCol, c, cOff, ldc);
        for (int i = 0; i < m; i++) {
            for (int j = 0; j < n; j++) {
                int at = cOff + i * ldc + j;
                boolean add = accumulate;
                if (k == 0 && !add) {
                    c[at] = 0f;
                }
                for (int from = 0; from < k; from += K_BLOCK) {
                    int to = Math.min(k, from + K_BLOCK);
                    float sum = 0f;
                    for (int p = from; p < to; p++) {
                        sum = Math.fma(a[aOff + i * aRow + p * aK], b[bOff + p * bK + j * bCol], sum);
                    }
                    c[at] = add ? c[at] + sum : sum;
                    add = true;
                }
            }
        }
    }

    /** Every index that a product touches lies in its array; leading dimensions do not overlap rows. */
    static void checkProduct(int m, int n, int k, float[] a, int aOff, int aRow, int aK, float[] b, int bOff, int bK, int bCol,
                             float[] c, int cOff, int ldc) {
        if (m < 0 || n < 0 || k < 0 || ldc < n) {
            throw new IllegalArgumentException("product " + m + " x " + n + " x " + k + ", ldc " + ldc);
        }
        checkStrided(m, aRow, k, aK, a.length, aOff, "A");
        checkStrided(k, bK, n, bCol, b.length, bOff, "B");
        checkStrided(m, ldc, n, 1, c.length, cOff, "C");
    }

    private static void checkStrided(int outer, int outerStep, int inner, int innerStep, int length, int off, String what) {
        if (outer == 0 || inner == 0) {
            return;
        }
        long last = off + (outer - 1L) * outerStep + (inner - 1L) * innerStep;
        if (off < 0 || outerStep < 0 || innerStep < 0 || last >= length) {
            throw new IndexOutOfBoundsException(what + " of " + outer + " x " + inner + " from " + off + " with steps " + outerStep + ", " + innerStep
                    + " in " + length);
        }
    }

    @Override
    public void syrk(int rows, int n, float[] x, int xOff, int ldx, float[] h, int ldh) {
        // Row i of the lower triangle, then its mirror image: what H held above the diagonal does not matter.
        for (int i = 0; i < n; i++) {
            gemmTN(1, i + 1, rows, x, xOff + i, ldx, x, xOff, ldx, h, i * ldh, ldh, true);
            for (int j = 0; j < i; j++) {
                h[j * ldh + i] = h[i * ldh + j];
            }
        }
    }

    @Override
    public float dot(int n, float[] a, int aOff, float[] b, int bOff) {
        Objects.checkFromIndexSize(aOff, n, a.length);
        Objects.checkFromIndexSize(bOff, n, b.length);
        float[] lanes = new float[LANES];
        for (int i = 0; i < n; i++) {
            lanes[i % LANES] = Math.fma(a[aOff + i], b[bOff + i], lanes[i % LANES]);
        }
        return join(lanes);
    }

    @Override
    public float sum(int n, float[] a, int aOff) {
        Objects.checkFromIndexSize(aOff, n, a.length);
        float[] lanes = new float[LANES];
        for (int i = 0; i < n; i++) {
            lanes[i % LANES] += a[aOff + i];
        }
        return join(lanes);
    }

    @Override
    public float squaredDistance(int n, float[] a, int aOff, float[] b, int bOff) {
        Objects.checkFromIndexSize(aOff, n, a.length);
        Objects.checkFromIndexSize(bOff, n, b.length);
        float[] lanes = new float[LANES];
        for (int i = 0; i < n; i++) {
            float d = a[aOff + i] - b[bOff + i];
            lanes[i % LANES] = Math.fma(d, d, lanes[i % LANES]);
        }
        return join(lanes);
    }

    /** The fixed tree: lane j with j + 8, then j + 4, j + 2, j + 1. */
    static float join(float[] lanes) {
        for (int half = LANES / 2; half > 0; half /= 2) {
            for (int j = 0; j < half; j++) {
                lanes[j] += lanes[j + half];
            }
        }
        return lanes[0];
    }

    @Override
    public void axpy(int n, float alpha, float[] x, int xOff, float[] y, int yOff) {
        Objects.checkFromIndexSize(xOff, n, x.length);
        Objects.checkFromIndexSize(yOff, n, y.length);
        for (int i = 0; i < n; i++) {
            y[yOff + i] = Math.fma(alpha, x[xOff + i], y[yOff + i]);
        }
    }

    @Override
    public void subtractProducts(int n, int count, float[] a, int aOff, float[] x, int xOff, int ldx, float[] y, int yOff) {
        for (int k = 0; k < count; k++) {
            for (int i = 0; i < n; i++) {
                y[yOff + i] -= a[aOff + k] * x[xOff + k * ldx + i];
            }
        }
    }

    @Override
    public void multiply(int n, float[] a, int aOff, float[] b, int bOff, float[] out, int outOff) {
        for (int i = 0; i < n; i++) {
            out[outOff + i] = a[aOff + i] * b[bOff + i];
        }
    }

    @Override
    public void add(int n, float[] a, int aOff, float[] b, int bOff, float[] out, int outOff) {
        for (int i = 0; i < n; i++) {
            out[outOff + i] = a[aOff + i] + b[bOff + i];
        }
    }

    @Override
    public void scale(int n, float alpha, float[] x, int xOff) {
        for (int i = 0; i < n; i++) {
            x[xOff + i] *= alpha;
        }
    }

    @Override
    public float min(int n, float[] a, int aOff) {
        checkNotEmpty(n);
        float m = Float.POSITIVE_INFINITY;
        for (int i = 0; i < n; i++) {
            m = Math.min(m, a[aOff + i]);
        }
        return m;
    }

    @Override
    public float max(int n, float[] a, int aOff) {
        checkNotEmpty(n);
        float m = Float.NEGATIVE_INFINITY;
        for (int i = 0; i < n; i++) {
            m = Math.max(m, a[aOff + i]);
        }
        return m;
    }

    static void checkNotEmpty(int n) {
        if (n < 1) {
            throw new IllegalArgumentException("min and max need at least one element, got " + n);
        }
    }

    @Override
    public float absMax(int n, float[] a, int aOff) {
        float m = 0f;
        for (int i = 0; i < n; i++) {
            m = Math.max(m, Math.abs(a[aOff + i]));
        }
        return m;
    }

    @Override
    public void softmax(int n, float[] x, int off) {
        if (n == 0) {
            return;
        }
        float max = max(n, x, off);
        for (int i = 0; i < n; i++) {
            x[off + i] = FloatMath.exp(x[off + i] - max);
        }
        float sum = sum(n, x, off);
        for (int i = 0; i < n; i++) {
            x[off + i] /= sum;
        }
    }

    @Override
    public float logSumExp(int n, float[] x, int off) {
        float max = max(n, x, off);
        float[] lanes = new float[LANES];
        for (int i = 0; i < n; i++) {
            lanes[i % LANES] += FloatMath.exp(x[off + i] - max);
        }
        return max + FloatMath.log(join(lanes));
    }

    @Override
    public void rmsNorm(int n, float[] x, int xOff, float[] weight, float eps, float[] out, int outOff) {
        float r = 1f / (float) Math.sqrt(dot(n, x, xOff, x, xOff) / n + eps);
        for (int i = 0; i < n; i++) {
            out[outOff + i] = x[xOff + i] * r * weight[i];
        }
    }

    @Override
    public void layerNorm(int n, float[] x, int xOff, float[] weight, float[] bias, float eps, float[] out, int outOff) {
        float mean = sum(n, x, xOff) / n;
        float[] lanes = new float[LANES];
        for (int i = 0; i < n; i++) {
            float d = x[xOff + i] - mean;
            lanes[i % LANES] = Math.fma(d, d, lanes[i % LANES]);
        }
        float r = 1f / (float) Math.sqrt(join(lanes) / n + eps);
        for (int i = 0; i < n; i++) {
            float unit = (x[xOff + i] - mean) * r;
            out[outOff + i] = bias.length == 0 ? unit * weight[i] : Math.fma(unit, weight[i], bias[i]);
        }
    }

    @Override
    public void activate(Activation f, int n, float[] x, int off) {
        for (int i = 0; i < n; i++) {
            x[off + i] = FloatMath.activate(f, x[off + i]);
        }
    }

    @Override
    public void walshHadamard(int n, float[] x, int off) {
        checkPowerOfTwo(n);
        for (int h = 1; h < n; h *= 2) {
            butterflies(n, x, off, h);
        }
    }

    /** One stage: pairs at distance h become their sum and difference. */
    static void butterflies(int n, float[] x, int off, int h) {
        for (int i = off; i < off + n; i += 2 * h) {
            for (int j = i; j < i + h; j++) {
                float a = x[j];
                float b = x[j + h];
                x[j] = a + b;
                x[j + h] = a - b;
            }
        }
    }

    static void checkPowerOfTwo(int n) {
        if (n < 1 || (n & (n - 1)) != 0) {
            throw new IllegalArgumentException("a Walsh-Hadamard transform needs a power of two, got " + n);
        }
    }

    @Override
    public void fakeQuantize(int n, float[] x, int xOff, float scale, float zero, float qmin, float qmax, float[] out, int outOff) {
        for (int i = 0; i < n; i++) {
            out[outOff + i] = (code(x[xOff + i], scale, zero, qmin, qmax) - zero) * scale;
        }
    }

    @Override
    public void quantize(int n, float[] x, int xOff, float scale, float zero, float qmin, float qmax, float[] codes, int outOff) {
        for (int i = 0; i < n; i++) {
            codes[outOff + i] = code(x[xOff + i], scale, zero, qmin, qmax);
        }
    }

    static float code(float x, float scale, float zero, float qmin, float qmax) {
        return Math.max(Math.min((float) Math.rint(x / scale) + zero, qmax), qmin);
    }

    @Override
    public void fakeQuantizeFloat(int n, float[] x, int xOff, float scale, float outScale, int mantissa, float smallestNormal, float largest, float[] out,
                                  int outOff) {
        float adder = gridAdder(mantissa);
        for (int i = 0; i < n; i++) {
            out[outOff + i] = onGrid(x[xOff + i] / scale, smallestNormal, largest, adder) * outScale;
        }
    }

    /** Times a value's power of two: a number whose last bit is worth that value's spacing. */
    static float gridAdder(int mantissa) {
        return 1.5f * Float.intBitsToFloat((127 + 23 - mantissa) << 23);
    }

    /** Adding and taking away a number whose last bit is the spacing rounds to the spacing, ties to even, and nothing else. */
    static float onGrid(float v, float smallestNormal, float largest, float adder) {
        float c = Math.max(Math.min(v, largest), -largest);
        float power = Math.max(Float.intBitsToFloat(Float.floatToRawIntBits(c) & 0x7f800000), smallestNormal);
        float big = power * adder;
        return Math.copySign(c + big - big, v);
    }
}
