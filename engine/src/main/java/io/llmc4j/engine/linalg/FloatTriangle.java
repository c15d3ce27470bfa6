package io.llmc4j.engine.linalg;

import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Parallel;
import java.util.Arrays;

/** {@link DoubleTriangle} in float32, step by step; where that subtracts a product, this adds one with a negated factor. */
final class FloatTriangle {

    static final int BLOCK = 128;

    private final float[] a;
    private final int n;
    private final Kernels kernels = Kernels.get();
    private final float[] block = new float[BLOCK * BLOCK];

    FloatTriangle(float[] a, int n) {
        this.a = a;
        this.n = n;
    }

    /** A = L Lᵀ: the lower triangle becomes L. Returns -1, or the first row whose pivot is not positive; then {@code a} holds it. */
    int factor() {
        float[] inverse = new float[BLOCK * BLOCK];
        float[] panel = new float[Math.max(0, n - BLOCK) * BLOCK];
        float[] negated = new float[BLOCK * n];
        for (int k = 0; k < n; k += BLOCK) {
            int nb = Math.min(BLOCK, n - k);
            int below = n - k - nb;
            for (int i = 0; i < nb; i++) {
                for (int j = 0; j < k; j++) {
                    negated[i * n + j] = -a[(k + i) * n + j];
                }
            }
            kernels.gemmNT(n - k, nb, k, a, k * n, n, negated, 0, n, a, k * n + k, n, true);
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
        kernels.gemmNT(below, nb, nb, panel, 0, nb, inverse, 0, BLOCK, a, first * n + at, n, false);
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
