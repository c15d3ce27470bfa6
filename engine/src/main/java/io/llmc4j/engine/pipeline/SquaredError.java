package io.llmc4j.engine.pipeline;

import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.tensor.Matrix;

/**
 * What rounding did to a weight, in double. Rows are summed apart and then joined in their order, so that the sums do not depend on threads.
 *
 * @param squared ||fake - w||²
 * @param norm    ||w||²
 */
record SquaredError(double squared, double norm) {

    private static final int TASK = 1 << 16;

    static SquaredError of(Matrix fake, Matrix w) {
        int cols = w.cols();
        double[] squared = new double[w.rows()];
        double[] norm = new double[w.rows()];
        Parallel.forRange(w.rows(), Math.max(1, TASK / Math.max(1, cols)), (from, to) -> {
            for (int r = from; r < to; r++) {
                row(cols, fake.data(), w.data(), r * cols, squared, norm, r);
            }
        });
        double s = 0;
        double n = 0;
        for (int r = 0; r < squared.length; r++) {
            s += squared[r];
            n += norm[r];
        }
        return new SquaredError(s, n);
    }

    /** Two sums of each kind, so that one addition need not wait for the other. */
    private static void row(int n, float[] fake, float[] w, int at, double[] squared, double[] norm, int to) {
        double s0 = 0;
        double s1 = 0;
        double n0 = 0;
        double n1 = 0;
        int i = 0;
        for (; i < n - 1; i += 2) {
            double a = w[at + i];
            double b = w[at + i + 1];
            double d = fake[at + i] - a;
            double e = fake[at + i + 1] - b;
            s0 += d * d;
            s1 += e * e;
            n0 += a * a;
            n1 += b * b;
        }
        if (i < n) {
            double a = w[at + i];
            double d = fake[at + i] - a;
            s0 += d * d;
            n0 += a * a;
        }
        squared[to] = s0 + s1;
        norm[to] = n0 + n1;
    }
}
