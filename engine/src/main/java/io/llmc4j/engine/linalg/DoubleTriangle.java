package io.llmc4j.engine.linalg;

import io.llmc4j.engine.kernel.DoubleKernels;
import io.llmc4j.engine.kernel.Parallel;
import java.util.Arrays;

/**
 * Blocked Cholesky factorisation and triangular inverse in double, in place, on a row-major n × n array whose lower triangle counts.
 * Left-looking: each block of columns (or rows) is one long product with what is already done.
 */
final class DoubleTriangle {

    static final int BLOCK = 128;

    private final double[] a;
    private final int n;
    private final DoubleKernels kernels = DoubleKernels.get();

    DoubleTriangle(double[] a, int n) {
        this.a = a;
        this.n = n;
    }

    /** A = L Lᵀ: the lower triangle becomes L. Returns -1, or the first row whose pivot is not positive; then {@code a} holds it. */
    int factor() {
        double[] inverse = new double[BLOCK * BLOCK];
        double[] panel = new double[Math.max(0, n - BLOCK) * BLOCK];
        for (int k = 0; k < n; k += BLOCK) {
            int nb = Math.min(BLOCK, n - k);
            int below = n - k - nb;
            kernels.subtractProduct(n - k, nb, k, a, k * n, n, 1, a, k * n, 1, n, a, k * n + k, n);
            int failed = factorBlock(k, nb);
            if (failed >= 0) {
                return failed;
            }
            if (below > 0) {
                invertBlock(k, nb, inverse);
                solveBelow(k, nb, below, inverse, panel);
            }
        }
        return -1;
    }

    private int factorBlock(int at, int nb) {
        for (int j = at; j < at + nb; j++) {
            double pivot = a[j * n + j];
            for (int p = at; p < j; p++) {
                pivot = Math.fma(-a[j * n + p], a[j * n + p], pivot);
            }
            a[j * n + j] = pivot;
            if (!(pivot > 0) || pivot == Double.POSITIVE_INFINITY) {
                return j;
            }
            double root = Math.sqrt(pivot);
            a[j * n + j] = root;
            for (int i = j + 1; i < at + nb; i++) {
                double s = a[i * n + j];
                for (int p = at; p < j; p++) {
                    s = Math.fma(-a[i * n + p], a[j * n + p], s);
                }
                a[i * n + j] = s / root;
            }
        }
        return -1;
    }

    /** The inverse of the lower triangular block at {@code at}, into {@code to} (rows of BLOCK). */
    private void invertBlock(int at, int nb, double[] to) {
        Arrays.fill(to, 0.0);
        for (int j = 0; j < nb; j++) {
            to[j * BLOCK + j] = 1 / a[(at + j) * n + at + j];
            for (int i = j + 1; i < nb; i++) {
                double s = 0;
                for (int p = j; p < i; p++) {
                    s = Math.fma(a[(at + i) * n + at + p], to[p * BLOCK + j], s);
                }
                to[i * BLOCK + j] = -s / a[(at + i) * n + at + i];
            }
        }
    }

    /** Rows below the block: X = B · block⁻ᵀ, through minus B so that one kernel does all. */
    private void solveBelow(int at, int nb, int below, double[] inverse, double[] panel) {
        int first = at + nb;
        Parallel.forRange(below, 256, (from, to) -> {
            for (int i = from; i < to; i++) {
                int row = (first + i) * n + at;
                for (int j = 0; j < nb; j++) {
                    panel[i * nb + j] = -a[row + j];
                    a[row + j] = 0;
                }
            }
        });
        kernels.subtractProduct(below, nb, nb, panel, 0, nb, 1, inverse, 0, 1, BLOCK, a, first * n + at, n);
    }

    /** The lower triangle L becomes L⁻¹. */
    void invert() {
        double[] inverse = new double[BLOCK * BLOCK];
        double[] left = new double[BLOCK * n];
        double[] product = new double[BLOCK * n];
        for (int i = 0; i < n; i += BLOCK) {
            int nb = Math.min(BLOCK, n - i);
            int at = i;
            invertBlock(i, nb, inverse);
            for (int r = 0; r < nb; r++) {
                System.arraycopy(a, (i + r) * n, left, r * n, i);
                Arrays.fill(product, r * n, r * n + i, 0.0);
                Arrays.fill(a, (i + r) * n, (i + r) * n + i, 0.0);
                System.arraycopy(inverse, r * BLOCK, a, (i + r) * n + i, nb);
            }
            // Row block: -block⁻¹ · (L[i, :] · inverse so far); columns are independent, and above the diagonal there is nothing to add.
            Parallel.forEach(i / BLOCK, t -> {
                int j = t * BLOCK;
                kernels.subtractProduct(nb, BLOCK, at - j, left, j, n, 1, a, j * n + j, n, 1, product, j, n);
                for (int r = 0; r < nb; r++) {
                    for (int c = j; c < j + BLOCK; c++) {
                        product[r * n + c] = -product[r * n + c];
                    }
                }
                kernels.subtractProduct(nb, BLOCK, nb, inverse, 0, BLOCK, 1, product, j, n, 1, a, at * n + j, n);
            });
        }
    }
}
