package io.llmc4j.engine.linalg;

import io.llmc4j.engine.kernel.DoubleKernels;
import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.tensor.Matrix;

/**
 * An orthogonal matrix Q [n, n] in double, row-major, and its products with float32 matrices: the arithmetic is double, the result is rounded.
 * The array is shared, not copied.
 */
public record Rotation(int n, double[] q) {

    /** Rows that are held in double at a time. */
    private static final int PANEL = 1024;

    public Rotation {
        if ((long) n * n != q.length) {
            throw new IllegalArgumentException("rotation of size " + n + " over " + q.length + " values");
        }
    }

    public static Rotation identity(int n) {
        double[] q = new double[Math.multiplyExact(n, n)];
        for (int i = 0; i < n; i++) {
            q[i * n + i] = 1;
        }
        return new Rotation(n, q);
    }

    /**
     * The orthogonal factor of a square matrix, with the signs that make the diagonal of R positive (so it is unique). Fed with standard
     * normals, it is a uniformly random orthogonal matrix.
     *
     * <p>Cholesky QR, repeated: G = AᵀA = LLᵀ, A ← A L⁻ᵀ. One pass leaves an error of cond(A)² · 2^-53, a second (or third) removes it.
     *
     * @param a n × n values, row-major; not changed
     * @throws NotPositiveDefinite when the columns are not independent
     */
    public static Rotation orthogonalFactor(int n, double[] a) {
        DoubleKernels kernels = DoubleKernels.get();
        double[] q = a.clone();
        double departure = Double.POSITIVE_INFINITY;
        for (int pass = 0; pass < 4; pass++) {
            double[] g = new double[n * n];
            double[] negative = new double[n * n];
            for (int i = 0; i < negative.length; i++) {
                negative[i] = -q[i];
            }
            kernels.subtractProduct(n, n, n, negative, 0, 1, n, q, 0, n, 1, g, 0, n);
            // What the matrix was before this pass decides whether this pass is the last.
            departure = 0;
            for (int i = 0; i < n; i++) {
                for (int j = 0; j <= i; j++) {
                    departure = Math.max(departure, Math.abs(g[i * n + j] - (i == j ? 1 : 0)));
                }
            }
            DoubleTriangle triangle = new DoubleTriangle(g, n);
            int failed = triangle.factor();
            if (failed >= 0) {
                throw new NotPositiveDefinite(failed, n, g[failed * n + failed]);
            }
            triangle.invert();
            clearAbove(g, n);
            double[] next = new double[n * n];
            kernels.subtractProduct(n, n, n, negative, 0, n, 1, g, 0, 1, n, next, 0, n);
            q = next;
            if (departure < 1e-4) {
                return new Rotation(n, q);
            }
        }
        throw new NotPositiveDefinite(n - 1, n, departure);
    }

    private static void clearAbove(double[] a, int n) {
        for (int i = 0; i < n; i++) {
            java.util.Arrays.fill(a, i * n + i + 1, (i + 1) * n, 0.0);
        }
    }

    /** The largest entry of |QᵀQ - I|: 0 for a perfectly orthogonal matrix. */
    public double departure() {
        double[] negative = new double[q.length];
        for (int i = 0; i < q.length; i++) {
            negative[i] = -q[i];
        }
        double[] gram = new double[q.length];
        DoubleKernels.get().subtractProduct(n, n, n, negative, 0, 1, n, q, 0, n, 1, gram, 0, n);
        double most = 0;
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < n; j++) {
                most = Math.max(most, Math.abs(gram[i * n + j] - (i == j ? 1 : 0)));
            }
        }
        return most;
    }

    /** W Q: w [rows, n]. */
    public Matrix timesOnRight(Matrix w) {
        if (w.cols() != n) {
            throw new IllegalArgumentException("W Q with W of " + w + " and Q of size " + n);
        }
        Matrix out = new Matrix(w.rows(), n);
        DoubleKernels kernels = DoubleKernels.get();
        double[] negative = new double[Math.min(PANEL, w.rows()) * n];
        double[] product = new double[negative.length];
        for (int r = 0; r < w.rows(); r += PANEL) {
            int rows = Math.min(PANEL, w.rows() - r);
            int at = r * n;
            Parallel.forRange(rows * n, 1 << 16, (from, to) -> {
                for (int i = from; i < to; i++) {
                    negative[i] = -w.data()[at + i];
                    product[i] = 0;
                }
            });
            kernels.subtractProduct(rows, n, n, negative, 0, n, 1, q, 0, n, 1, product, 0, n);
            round(product, 0, out.data(), at, rows * n);
        }
        return out;
    }

    /** Qᵀ W: w [n, cols]. */
    public Matrix transposedTimes(Matrix w) {
        if (w.rows() != n) {
            throw new IllegalArgumentException("Qᵀ W with W of " + w + " and Q of size " + n);
        }
        int cols = w.cols();
        Matrix out = new Matrix(n, cols);
        DoubleKernels kernels = DoubleKernels.get();
        int wide = Math.min(PANEL, cols);
        double[] negative = new double[n * wide];
        double[] product = new double[n * wide];
        for (int c = 0; c < cols; c += PANEL) {
            int width = Math.min(PANEL, cols - c);
            int at = c;
            Parallel.forRange(n, 64, (from, to) -> {
                for (int i = from; i < to; i++) {
                    for (int j = 0; j < width; j++) {
                        negative[i * width + j] = -w.data()[i * cols + at + j];
                        product[i * width + j] = 0;
                    }
                }
            });
            kernels.subtractProduct(n, width, n, q, 0, 1, n, negative, 0, width, 1, product, 0, width);
            for (int i = 0; i < n; i++) {
                round(product, i * width, out.data(), i * cols + c, width);
            }
        }
        return out;
    }

    /** Qᵀ b for a vector of n, for example a bias. */
    public float[] transposedTimes(float[] b) {
        return transposedTimes(new Matrix(n, 1, b)).data();
    }

    private static void round(double[] from, int at, float[] to, int toAt, int count) {
        for (int i = 0; i < count; i++) {
            to[toAt + i] = (float) from[at + i];
        }
    }
}
