package io.llmc4j.engine.kernel;

/**
 * What factorisations need in double: one product, and the step of a triangle. Same law as {@link Kernels}: fused multiply-adds over k in order inside k-blocks of
 * {@link Kernels#K_BLOCK}, block sums subtracted in order; the bits depend neither on threads nor on the vector width.
 */
public interface DoubleKernels {

    /** The twin of the current {@link Kernels}: vector with vector, otherwise scalar. */
    static DoubleKernels get() {
        return Kernels.get().host().name().equals("vector") ? new VectorDoubleKernels() : new ScalarDoubleKernels();
    }

    /**
     * C[m, n] -= A[m, k] · B[k, n], with any strides: element (i, p) of A is {@code a[aOff + i * aRow + p * aK]}, element (p, j) of B is
     * {@code b[bOff + p * bK + j * bCol]}, element (i, j) of C is {@code c[cOff + i * ldc + j]}.
     */
    void subtractProduct(int m, int n, int k, double[] a, int aOff, int aRow, int aK, double[] b, int bOff, int bK, int bCol,
                         double[] c, int cOff, int ldc);

    /** The lower triangle of C[n, n] -= A[n, k] · B[k, n], as {@link #subtractProduct} has it; above its diagonal C holds anything afterwards. */
    default void subtractLower(int n, int k, double[] a, int aOff, int aRow, int aK, double[] b, int bOff, int bK, int bCol, double[] c, int cOff, int ldc) {
        int strip = 128;
        for (int j = 0; j < n; j += strip) {
            subtractProduct(n - j, Math.min(strip, n - j), k, a, aOff + j * aRow, aRow, aK, b, bOff + j * bCol, bK, bCol, c, cOff + j * ldc + j, ldc);
        }
    }

    /** y += alpha * x, one fused multiply-add an element. */
    void axpy(int n, double alpha, double[] x, int xOff, double[] y, int yOff);
}
