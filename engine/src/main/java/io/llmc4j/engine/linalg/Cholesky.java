package io.llmc4j.engine.linalg;

import io.llmc4j.engine.tensor.Matrix;
import java.util.Arrays;

/**
 * Cholesky factors of symmetric positive definite matrices. The argument must be symmetric (one triangle is read), and it is not changed.
 *
 * <p>By default the arithmetic is double and the result is rounded to float32. Results do not depend on threads or vector width.
 */
public final class Cholesky {

    private Cholesky() {
    }

    /** The lower triangular L [n, n] with H = L Lᵀ; zeros above the diagonal. */
    public static Matrix lower(Matrix h) {
        return lower(h, Precision.FLOAT64);
    }

    /**
     * The lower triangular L [n, n] with H = L Lᵀ.
     *
     * @throws NotPositiveDefinite naming the row whose pivot is not above zero
     */
    public static Matrix lower(Matrix h, Precision precision) {
        int n = order(h);
        Matrix l = new Matrix(n, n);
        if (precision == Precision.FLOAT64) {
            double[] a = new double[n * n];
            for (int i = 0; i < n; i++) {
                for (int j = 0; j <= i; j++) {
                    a[i * n + j] = h.data()[i * n + j];
                }
            }
            int failed = new DoubleTriangle(a, n).factor();
            check(failed, failed, n, failed < 0 ? 0 : a[failed * n + failed]);
            for (int i = 0; i < n; i++) {
                for (int j = 0; j <= i; j++) {
                    l.data()[i * n + j] = (float) a[i * n + j];
                }
            }
        } else {
            float[] a = l.data();
            for (int i = 0; i < n; i++) {
                System.arraycopy(h.data(), i * n, a, i * n, i + 1);
            }
            int failed = new FloatTriangle(a, n).factor();
            check(failed, failed, n, failed < 0 ? 0 : a[failed * n + failed]);
            clearAbove(a, n);
        }
        return l;
    }

    /** {@link #upperInverseFactor(Matrix, Precision)} in double, rounded to float32. */
    public static Matrix upperInverseFactor(Matrix h) {
        return upperInverseFactor(h, Precision.FLOAT64);
    }

    /**
     * The upper triangular U [n, n] with H⁻¹ = Uᵀ U, which GPTQ and its kin walk row by row.
     *
     * <p>With R upper triangular and H = R Rᵀ (a Cholesky factorisation from the last row to the first), U = R⁻¹: two thirds of n³ instead of
     * the four thirds of factor, inverse, factor. The reverse order is had by reversing rows and columns on the way in and on the way out.
     *
     * @throws NotPositiveDefinite naming the row of H whose pivot is not above zero
     */
    public static Matrix upperInverseFactor(Matrix h, Precision precision) {
        return upperInverseFactor(h, precision, new Matrix(h.rows(), h.cols()));
    }

    /** The same into {@code u}, which may be {@code h}: where there is no factor, it is left as it was. */
    public static Matrix upperInverseFactor(Matrix h, Precision precision, Matrix u) {
        int n = order(h);
        if (precision == Precision.FLOAT64) {
            double[] a = new double[n * n];
            for (int i = 0; i < n; i++) {
                for (int j = 0; j <= i; j++) {
                    a[i * n + j] = h.data()[(n - 1 - i) * n + n - 1 - j];
                }
            }
            DoubleTriangle triangle = new DoubleTriangle(a, n);
            int failed = triangle.factor();
            check(failed, n - 1 - failed, n, failed < 0 ? 0 : a[failed * n + failed]);
            triangle.invert();
            for (int i = 0; i < n; i++) {
                Arrays.fill(u.data(), i * n, i * n + i, 0f);
                for (int j = i; j < n; j++) {
                    u.data()[i * n + j] = (float) a[(n - 1 - i) * n + n - 1 - j];
                }
            }
        } else {
            float[] a = new float[n * n];
            for (int i = 0; i < n; i++) {
                for (int j = 0; j <= i; j++) {
                    a[i * n + j] = h.data()[(n - 1 - i) * n + n - 1 - j];
                }
            }
            FloatTriangle triangle = new FloatTriangle(a, n);
            int failed = triangle.factor();
            check(failed, n - 1 - failed, n, failed < 0 ? 0 : a[failed * n + failed]);
            triangle.invert();
            for (int i = 0; i < n; i++) {
                Arrays.fill(u.data(), i * n, i * n + i, 0f);
                for (int j = i; j < n; j++) {
                    u.data()[i * n + j] = a[(n - 1 - i) * n + n - 1 - j];
                }
            }
        }
        return u;
    }

    private static int order(Matrix h) {
        if (h.rows() != h.cols()) {
            throw new IllegalArgumentException("a Cholesky factor needs a square matrix, got " + h);
        }
        return h.rows();
    }

    private static void check(int failed, int row, int n, double pivot) {
        if (failed >= 0) {
            throw new NotPositiveDefinite(row, n, pivot);
        }
    }

    private static void clearAbove(float[] a, int n) {
        for (int i = 0; i < n; i++) {
            Arrays.fill(a, i * n + i + 1, (i + 1) * n, 0f);
        }
    }
}
