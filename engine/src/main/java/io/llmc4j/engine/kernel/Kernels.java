package io.llmc4j.engine.kernel;

/**
 * Arithmetic on heap float arrays; no policy. {@link ScalarKernels} is the definition to read, {@link VectorKernels} its SIMD twin:
 * both give the same bits, for any vector width and any number of threads.
 *
 * <p>Rules that make that so: a product sums over k in order with fused multiply-add inside k-blocks of {@link #K_BLOCK} columns, block sums
 * added in order; reductions use {@link #LANES} virtual lanes (element i goes to lane i mod 16, in order) joined by a fixed binary tree
 * (lane j with j+8, then j+4, j+2, j+1); exp, log, tanh and erf are our own polynomials. Work is split between threads by output only.
 *
 * <p>Matrices are row-major: element (i, j) of {@code a} is {@code a[aOff + i * lda + j]}.
 */
public interface Kernels {

    /** Virtual lanes of every reduction. */
    int LANES = 16;

    /** Columns of a product that are summed before the running total is touched. */
    int K_BLOCK = 384;

    /**
     * The kernels of this process: property {@code llmc4j.kernels} ("scalar", "vector" or a provider's name), by default "vector".
     *
     * @throws io.llmc4j.engine.BadInput when there is no such provider, or the JVM was started without the vector module
     */
    static Kernels get() {
        return KernelLookup.get();
    }

    /** Kernels by name, without making them the current ones. */
    static Kernels named(String name) {
        return KernelLookup.named(name);
    }

    /** Makes these the kernels that {@link #get()} returns from now on; for tests and for the self-test. */
    static void use(Kernels kernels) {
        KernelLookup.use(kernels);
    }

    /** "scalar", "vector", or the name of another provider. */
    String name();

    /** The kernels of the CPU: these, or those beneath a device's. */
    default Kernels host() {
        return this;
    }

    /** C[m, n] = A[m, k] · B[n, k]ᵀ, or C += that. The layout of y = x Wᵀ. */
    void gemmNT(int m, int n, int k, float[] a, int aOff, int lda, float[] b, int bOff, int ldb, float[] c, int cOff, int ldc, boolean accumulate);

    /** C[m, n] = A[m, k] · B[k, n], or C += that. */
    void gemmNN(int m, int n, int k, float[] a, int aOff, int lda, float[] b, int bOff, int ldb, float[] c, int cOff, int ldc, boolean accumulate);

    /** C[m, n] = A[k, m]ᵀ · B[k, n], or C += that. */
    void gemmTN(int m, int n, int k, float[] a, int aOff, int lda, float[] b, int bOff, int ldb, float[] c, int cOff, int ldc, boolean accumulate);

    /** H[n, n] += Xᵀ X for X [rows, n]; both triangles of H are written and equal. */
    void syrk(int rows, int n, float[] x, int xOff, int ldx, float[] h, int ldh);

    /** The lower triangle of C[n, n] += A[n, k] · B[n, k]ᵀ, as {@link #gemmNT} has it; above its diagonal C holds anything afterwards. */
    default void lowerNT(int n, int k, float[] a, int aOff, int lda, float[] b, int bOff, int ldb, float[] c, int cOff, int ldc) {
        int strip = 128;
        for (int j = 0; j < n; j += strip) {
            gemmNT(n - j, Math.min(strip, n - j), k, a, aOff + j * lda, lda, b, bOff + j * ldb, ldb, c, cOff + j * ldc + j, ldc, true);
        }
    }

    /**
     * A sum of XᵀX over batches: for each batch H *= shrink, then H += XᵀX of its rows, as {@link #scale} and {@link #syrk} do it.
     *
     * @param rows   of one batch; batch b begins at row {@code b * rows} of x
     * @param shrink one factor a batch
     */
    default void syrkBatches(int rows, int n, float[] x, int ldx, float[] shrink, float[] h, int ldh) {
        for (int b = 0; b < shrink.length; b++) {
            float factor = shrink[b];
            if (factor != 1f) {
                Parallel.forRange(n, (from, to) -> {
                    for (int r = from; r < to; r++) {
                        scale(n, factor, h, r * ldh);
                    }
                });
            }
            syrk(rows, n, x, b * rows * ldx, ldx, h, ldh);
        }
    }

    /** Sum of products over the fixed tree. */
    float dot(int n, float[] a, int aOff, float[] b, int bOff);

    /** Sum over the fixed tree. */
    float sum(int n, float[] a, int aOff);

    /** Sum of (a - b)² over the fixed tree, in float32 per lane. */
    float squaredDistance(int n, float[] a, int aOff, float[] b, int bOff);

    /** y += alpha * x, one fused multiply-add an element. */
    void axpy(int n, float alpha, float[] x, int xOff, float[] y, int yOff);

    /**
     * y -= a[k] * x_k for k = 0 … count - 1 in that order, each with two roundings (no fused multiply-add): GPTQ's spreading of errors.
     *
     * @param x row k is {@code x[xOff + k * ldx …]}, n elements
     */
    void subtractProducts(int n, int count, float[] a, int aOff, float[] x, int xOff, int ldx, float[] y, int yOff);

    /** out = a * b, element by element (no accumulation). */
    void multiply(int n, float[] a, int aOff, float[] b, int bOff, float[] out, int outOff);

    /** out = a + b, element by element. */
    void add(int n, float[] a, int aOff, float[] b, int bOff, float[] out, int outOff);

    /** x *= alpha. */
    void scale(int n, float alpha, float[] x, int xOff);

    /** Smallest element; NaN when any is NaN; n at least 1. */
    float min(int n, float[] a, int aOff);

    /** Largest element; NaN when any is NaN; n at least 1. */
    float max(int n, float[] a, int aOff);

    /** Largest |element|; NaN when any is NaN; 0 for n = 0. */
    float absMax(int n, float[] a, int aOff);

    /** In place: exp(x - max) / sum over one row of n. Entries of -infinity become 0. */
    void softmax(int n, float[] x, int off);

    /** Natural logarithm of the sum of exponentials of one row of n. */
    float logSumExp(int n, float[] x, int off);

    /** out = x * rsqrt(mean(x²) + eps) * weight, one row of n. */
    void rmsNorm(int n, float[] x, int xOff, float[] weight, float eps, float[] out, int outOff);

    /** out = (x - mean) / sqrt(var + eps) * weight + bias, one row of n; bias may be of length 0. */
    void layerNorm(int n, float[] x, int xOff, float[] weight, float[] bias, float eps, float[] out, int outOff);

    /** An activation function, in place. */
    void activate(Activation f, int n, float[] x, int off);

    /** In place Walsh-Hadamard transform (natural order, no scaling) of n contiguous values, n a power of two. */
    void walshHadamard(int n, float[] x, int off);

    /**
     * One integer range, quantized and dequantized: q = clamp(rne(x / s) + z, qmin, qmax), out = (q - z) * s. True division, no fused
     * multiply-add (the number is LLMC's).
     */
    void fakeQuantize(int n, float[] x, int xOff, float scale, float zero, float qmin, float qmax, float[] out, int outOff);

    /** As {@link #fakeQuantize} but writes the codes q (as floats holding integers). */
    void quantize(int n, float[] x, int xOff, float scale, float zero, float qmin, float qmax, float[] codes, int outOff);

    /**
     * One range on the grid of a small float, quantized and dequantized: x / scale to the nearest value of the grid, ties to even, saturating,
     * times {@code outScale}. NaN stays NaN, a negative value that becomes zero is -0.
     *
     * @param mantissa       mantissa bits of the grid, 0 to 22
     * @param smallestNormal its smallest normal value, a power of two; below it the spacing stays the same
     * @param largest        its largest value
     */
    void fakeQuantizeFloat(int n, float[] x, int xOff, float scale, float outScale, int mantissa, float smallestNormal, float largest, float[] out,
                           int outOff);
}
