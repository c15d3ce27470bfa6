package io.llmc4j.engine.linalg;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.tensor.Matrix;
import java.util.Arrays;
import java.util.SplittableRandom;

/**
 * The orthogonal Hadamard transform of one size: Hn = (H_K ⊗ W_m) / √n with n = K m, m a power of two, W_m the natural-order Walsh-Hadamard
 * matrix and H_K a table (K = 1 for powers of two). A vector is indexed K-major: x[k][l], k below K, l below m.
 *
 * <p>√n is the float32 root in both precisions, because LLMC's is; so for n that is no square, Hn is orthogonal to about 1e-7 only.
 */
public final class Hadamard {

    private final int n;
    private final int k;
    private final byte[] table;
    private final float[] floatTable;

    private Hadamard(int n, int k) {
        this.n = n;
        this.k = k;
        this.table = HadamardTables.table(k);
        this.floatTable = new float[k * k];
        for (int i = 0; i < floatTable.length; i++) {
            floatTable[i] = table[i];
        }
    }

    /**
     * The transform of size n. The first of 172, 156, 140, 108, 60, 52, 36, 28, 40, 20, 12 that divides n is K, and n / K must then be a power
     * of two; when none divides, n itself must be one.
     *
     * @throws BadInput (NOT_SUPPORTED) for every other n
     */
    public static Hadamard forSize(int n) {
        int k = orderFor(n);
        if (k == 0) {
            throw BadInput.of(BadInput.Common.NOT_SUPPORTED, "no Hadamard matrix for size %d: the size must be a power of two, or a power of two times the "
                    + "first of %s that divides it", n, Arrays.toString(HadamardTables.orders()));
        }
        return new Hadamard(n, k);
    }

    /** Whether {@link #forSize} has a transform for n; for checks before a run. */
    public static boolean supports(int n) {
        return orderFor(n) != 0;
    }

    /** The order K of the table that size n uses, 1 for a power of two, 0 when n is not supported. */
    public static int orderFor(int n) {
        if (n < 1) {
            return 0;
        }
        for (int order : HadamardTables.orders()) {
            if (n % order == 0) {
                return Integer.bitCount(n / order) == 1 ? order : 0;
            }
        }
        return Integer.bitCount(n) == 1 ? 1 : 0;
    }

    /** A table, row-major ±1: orders 1, 12, 20, 28, 36, 40, 52, 60, 108, 140, 156, 172. */
    public static byte[] table(int order) {
        return HadamardTables.table(order);
    }

    public int size() {
        return n;
    }

    /** K, the order of the table; 1 for a power of two. */
    public int order() {
        return k;
    }

    /** x becomes Hn x, for one vector in float32: transform over l, times the float32 reciprocal of √n, then the table over k. */
    public void transform(float[] x, int off) {
        Kernels kernels = Kernels.get();
        int m = n / k;
        for (int i = 0; i < k; i++) {
            kernels.walshHadamard(m, x, off + i * m);
        }
        kernels.scale(n, 1f / (float) Math.sqrt(n), x, off);
        if (k > 1) {
            float[] y = new float[n];
            kernels.gemmNN(k, m, k, floatTable, 0, k, x, off, m, y, 0, m, false);
            System.arraycopy(y, 0, x, off, n);
        }
    }

    /** Each row w of the matrix becomes Hn w (the matrix becomes W Hnᵀ), in float32 and in place. */
    public void transformRows(Matrix w) {
        requireRowsOf(w);
        Parallel.forRange(w.rows(), (from, to) -> {
            for (int r = from; r < to; r++) {
                transform(w.data(), r * n);
            }
        });
    }

    /** {@link #transform} in double: transform over l, the table over k, then division by √n. */
    public void transform(double[] x, int off) {
        int m = n / k;
        for (int h = 1; h < m; h *= 2) {
            for (int i = off; i < off + n; i += 2 * h) {
                for (int j = i; j < i + h; j++) {
                    double a = x[j];
                    double b = x[j + h];
                    x[j] = a + b;
                    x[j + h] = a - b;
                }
            }
        }
        if (k > 1) {
            double[] y = new double[n];
            for (int i = 0; i < k; i++) {
                for (int p = 0; p < k; p++) {
                    addRow(m, table[i * k + p], x, off + p * m, y, i * m);
                }
            }
            System.arraycopy(y, 0, x, off, n);
        }
        double root = (float) Math.sqrt(n);
        for (int i = off; i < off + n; i++) {
            x[i] /= root;
        }
    }

    private static void addRow(int m, int sign, double[] x, int xOff, double[] y, int yOff) {
        for (int l = 0; l < m; l++) {
            y[yOff + l] += sign * x[xOff + l];
        }
    }

    /** {@link #transformRows} with the arithmetic in double and the result rounded to float32. */
    public void transformRowsInDouble(Matrix w) {
        requireRowsOf(w);
        Parallel.forRange(w.rows(), (from, to) -> {
            double[] row = new double[n];
            for (int r = from; r < to; r++) {
                for (int i = 0; i < n; i++) {
                    row[i] = w.data()[r * n + i];
                }
                transform(row, 0);
                for (int i = 0; i < n; i++) {
                    w.data()[r * n + i] = (float) row[i];
                }
            }
        });
    }

    private void requireRowsOf(Matrix w) {
        if (w.cols() != n) {
            throw new IllegalArgumentException("a Hadamard transform of size " + n + " over the rows of " + w);
        }
    }

    /** Entry (i, j) of Hn times √n: plus or minus one. */
    public int sign(int i, int j) {
        int m = n / k;
        int w = (Integer.bitCount((i % m) & (j % m)) & 1) == 0 ? 1 : -1;
        return w * table[i / m * k + j / m];
    }

    /** {@link #randomized} with signs drawn from {@code random}, one a row. */
    public Rotation random(SplittableRandom random) {
        int[] signs = new int[n];
        for (int i = 0; i < n; i++) {
            signs[i] = random.nextBoolean() ? 1 : -1;
        }
        return randomized(signs);
    }

    /**
     * The random Hadamard rotation Q = diag(d) Hnᵀ: row i of Q is d[i] times column i of Hn.
     *
     * @param signs d, n values of +1 or -1
     */
    public Rotation randomized(int[] signs) {
        if (signs.length != n) {
            throw new IllegalArgumentException("a random Hadamard matrix of size " + n + " needs as many signs, got " + signs.length);
        }
        double unit = 1.0 / (float) Math.sqrt(n);
        double[] q = new double[Math.multiplyExact(n, n)];
        Parallel.forRange(n, (from, to) -> {
            for (int i = from; i < to; i++) {
                for (int j = 0; j < n; j++) {
                    q[i * n + j] = signs[i] * sign(j, i) * unit;
                }
            }
        });
        return new Rotation(n, q);
    }
}
