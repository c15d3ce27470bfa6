package io.llmc4j.engine.kernel;

/** The readable definition of {@link DoubleKernels}. */
public final class ScalarDoubleKernels implements DoubleKernels {

    @Override
    public void subtractProduct(int m, int n, int k, double[] a, int aOff, int aRow, int aK, double[] b, int bOff, int bK, int bCol,
                                double[] c, int cOff, int ldc) {
        for (int i = 0; i < m; i++) {
            for (int j = 0; j < n; j++) {
                for (int from = 0; from < k; from += Kernels.K_BLOCK) {
                    int to = Math.min(k, from + Kernels.K_BLOCK);
                    double sum = 0;
                    for (int p = from; p < to; p++) {
                        sum = Math.fma(a[aOff + i * aRow + p * aK], b[bOff + p * bK + j * bCol], sum);
                    }
                    c[cOff + i * ldc + j] -= sum;
                }
            }
        }
    }

    @Override
    public void axpy(int n, double alpha, double[] x, int xOff, double[] y, int yOff) {
        for (int i = 0; i < n; i++) {
            y[yOff + i] = Math.fma(alpha, x[xOff + i], y[yOff + i]);
        }
    }
}
