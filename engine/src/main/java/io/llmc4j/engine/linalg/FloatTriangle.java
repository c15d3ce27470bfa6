package io.llmc4j.engine.linalg;

import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Parallel;
import java.util.Arrays;

/** {@link DoubleTriangle} in float32, step by step; where that subtracts a product, this adds one with a negated factor. */
final class FloatTriangle {

    static final int BLOCK = 128;
    /** Columns whose products are gathered: a k-block of the kernels, and a multiple of the block. */
    private static final int PANEL = Kernels.K_BLOCK;
    /** Columns that a solution is multiplied for at once: narrow, so that the zeros of a triangle are left out. */
    private static final int STRIP = 64;

    private final float[] a;
    private final int n;
    private final Kernels kernels = Kernels.get();
    private final float[] block = new float[BLOCK * BLOCK];

    FloatTriangle(float[] a, int n) {
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
        float[] inverse = new float[BLOCK * BLOCK];
        float[] panel = new float[Math.max(0, n - BLOCK) * BLOCK];
        float[] negated = new float[PANEL * Math.max(Math.min(n, BLOCK), n - PANEL)];
        for (int first = 0; first < n; first += PANEL) {
            int end = Math.min(n, first + PANEL);
            for (int k = first; k < end; k += BLOCK) {
                int nb = Math.min(BLOCK, n - k);
                int below = n - k - nb;
                negate(k, nb, first, k - first, negated);
                kernels.gemmNT(n - k, nb, k - first, a, k * n + first, n, negated, 0, PANEL, a, k * n + k, n, true);
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
                negate(end, n - end, first, PANEL, negated);
                kernels.lowerNT(n - end, PANEL, a, end * n + first, n, negated, 0, PANEL, a, end * n + end, n);
            }
        }
        return -1;
    }

    /** Minus rows {@code row} to {@code row + rows}, columns {@code column} to {@code column + columns}; rows of PANEL. */
    private void negate(int row, int rows, int column, int columns, float[] to) {
        Parallel.forRange(rows, 256, (from, until) -> {
            for (int i = from; i < until; i++) {
                int at = (row + i) * n + column;
                for (int j = 0; j < columns; j++) {
                    to[i * PANEL + j] = -a[at + j];
                }
            }
        });
    }

    /** Column after column, each brought into those after it; columns are rows of a copy, so that they are contiguous. */
    private int factorBlock(int at, int nb) {
        float[] u = block;
        for (int i = 0; i < nb; i++) {
            for (int j = 0; j <= i; j++) {
                u[j * BLOCK + i] = a[(at + i) * n + at + j];
            }
        }
        for (int j = 0; j < nb; j++) {
            int row = j * BLOCK;
            float pivot = u[row + j];
            if (!(pivot > 0) || pivot == Float.POSITIVE_INFINITY) {
                a[(at + j) * n + at + j] = pivot;
                return at + j;
            }
            float root = (float) Math.sqrt(pivot);
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
    private void invertBlock(int at, int nb, float[] to) {
        Arrays.fill(to, 0f);
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

    /** Rows below the block: X = B · block⁻ᵀ. */
    private void solveBelow(int at, int nb, int below, float[] inverse, float[] panel) {
        int first = at + nb;
        for (int i = 0; i < below; i++) {
            System.arraycopy(a, (first + i) * n + at, panel, i * nb, nb);
        }
        // The inverse has zeros from its diagonal on.
        for (int j = 0; j < nb; j += STRIP) {
            int strip = Math.min(STRIP, nb - j);
            kernels.gemmNT(below, strip, j + strip, panel, 0, nb, inverse, j * BLOCK, BLOCK, a, first * n + at + j, n, false);
        }
    }

    /** The lower triangle L becomes L⁻¹. */
    void invert() {
        float[] inverse = new float[BLOCK * BLOCK];
        float[] left = new float[BLOCK * n];
        float[] product = new float[BLOCK * n];
        for (int i = 0; i < n; i += BLOCK) {
            int nb = Math.min(BLOCK, n - i);
            int at = i;
            invertBlock(i, nb, inverse);
            for (int r = 0; r < nb; r++) {
                System.arraycopy(a, (i + r) * n, left, r * n, i);
                System.arraycopy(inverse, r * BLOCK, a, (i + r) * n + i, nb);
                for (int c = 0; c <= r; c++) {
                    inverse[r * BLOCK + c] = -inverse[r * BLOCK + c];
                }
            }
            // Row block: -block⁻¹ · (L[i, :] · inverse so far); columns are independent, and above the diagonal there is nothing to add.
            Parallel.forEach(i / BLOCK, t -> {
                int j = t * BLOCK;
                kernels.gemmNN(nb, BLOCK, at - j, left, j, n, a, j * n + j, n, product, j, n, false);
                kernels.gemmNN(nb, BLOCK, nb, inverse, 0, BLOCK, product, j, n, a, at * n + j, n, false);
            });
        }
    }
}
