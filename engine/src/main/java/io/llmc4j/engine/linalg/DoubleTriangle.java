package io.llmc4j.engine.linalg;

import io.llmc4j.engine.kernel.DoubleKernels;
import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Parallel;
import java.util.Arrays;

/**
 * Blocked Cholesky factorisation and triangular inverse in double, in place, on a row-major n × n array whose lower triangle counts.
 * A block of columns (or rows) after the other takes the product with what is already done.
 */
final class DoubleTriangle {

    static final int BLOCK = 128;
    /** Columns whose products are gathered: a k-block of the kernels, and a multiple of the block. */
    private static final int PANEL = Kernels.K_BLOCK;
    /** Columns that a solution is multiplied for at once: narrow, so that the zeros of a triangle are left out. */
    private static final int STRIP = 64;

    private final double[] a;
    private final int n;
    private final DoubleKernels kernels = DoubleKernels.get();
    private final double[] block = new double[BLOCK * BLOCK];

    DoubleTriangle(double[] a, int n) {
        this.a = a;
        this.n = n;
    }

    /**
     * A = L Lᵀ: the lower triangle becomes L. Returns -1, or the first row whose pivot is not positive; then {@code a} holds it.
     *
     * <p>What is done is brought in as whole k-blocks of the product into all that is to come, and from the last whole one to the block at hand: the sums, and so the
     * bits, are those of one long product a block, and most of the work has matrices that are large in all directions.
     */
    int factor() {
        double[] inverse = new double[BLOCK * BLOCK];
        double[] panel = new double[Math.max(0, n - BLOCK) * BLOCK];
        for (int first = 0; first < n; first += PANEL) {
            int end = Math.min(n, first + PANEL);
            for (int k = first; k < end; k += BLOCK) {
                int nb = Math.min(BLOCK, n - k);
                int below = n - k - nb;
                int at = k * n + first;
                kernels.subtractProduct(n - k, nb, k - first, a, at, n, 1, a, at, 1, n, a, k * n + k, n);
                int failed = factorBlock(k, nb);
                if (failed >= 0) {
                    return failed;
                }
                if (below > 0) {
                    invertBlock(k, nb, inverse);
                    solveBelow(k, nb, below, inverse, panel);
                }
            }
            if (end < n) {
                int at = end * n + first;
                kernels.subtractLower(n - end, PANEL, a, at, n, 1, a, at, 1, n, a, end * n + end, n);
            }
        }
        return -1;
    }

    /** Column after column, each brought into those after it; columns are rows of a copy, so that they are contiguous. */
    private int factorBlock(int at, int nb) {
        double[] u = block;
        for (int i = 0; i < nb; i++) {
            for (int j = 0; j <= i; j++) {
                u[j * BLOCK + i] = a[(at + i) * n + at + j];
            }
        }
        for (int j = 0; j < nb; j++) {
            int row = j * BLOCK;
            double pivot = u[row + j];
            if (!(pivot > 0) || pivot == Double.POSITIVE_INFINITY) {
                a[(at + j) * n + at + j] = pivot;
                return at + j;
            }
            double root = Math.sqrt(pivot);
            u[row + j] = root;
            for (int i = j + 1; i < nb; i++) {
                u[row + i] /= root;
            }
            for (int r = j + 1; r < nb; r++) {
                kernels.axpy(nb - r, -u[row + r], u, row + r, u, r * BLOCK + r);
            }
        }
        for (int i = 0; i < nb; i++) {
            for (int j = 0; j <= i; j++) {
                a[(at + i) * n + at + j] = u[j * BLOCK + i];
            }
        }
        return -1;
    }

    /** The inverse of the lower triangular block at {@code at}, into {@code to} (rows of BLOCK): row after row, from the rows before. */
    private void invertBlock(int at, int nb, double[] to) {
        Arrays.fill(to, 0.0);
        for (int i = 0; i < nb; i++) {
            int row = (at + i) * n + at;
            for (int p = 0; p < i; p++) {
                kernels.axpy(p + 1, a[row + p], to, p * BLOCK, to, i * BLOCK);
            }
            for (int j = 0; j < i; j++) {
                to[i * BLOCK + j] = -to[i * BLOCK + j] / a[row + i];
            }
            to[i * BLOCK + i] = 1 / a[row + i];
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
        // The inverse has zeros from its diagonal on.
        for (int j = 0; j < nb; j += STRIP) {
            int strip = Math.min(STRIP, nb - j);
            kernels.subtractProduct(below, strip, j + strip, panel, 0, nb, 1, inverse, j * BLOCK, 1, BLOCK, a, first * n + at + j, n);
        }
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
