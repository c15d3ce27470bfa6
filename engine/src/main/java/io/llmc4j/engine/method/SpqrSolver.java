package io.llmc4j.engine.method;

import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.linalg.Cholesky;
import io.llmc4j.engine.quant.QuantParams;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.tensor.Matrix;
import java.util.Arrays;
import java.util.BitSet;
import java.util.stream.IntStream;

/**
 * SpQR on one weight (arXiv 2306.03078, algorithm 1; spec 3.12): columns are rounded one after another, each error is spread over the columns to
 * come by the inverse Hessian, groups get their statistics when they are reached, from what is not an outlier.
 *
 * <p>Rows do not depend on each other, so they are worked on in parallel (with {@code bilevelRows} in panels of whole second-level groups).
 */
public final class SpqrSolver {

    /** Rows of one task. */
    private static final int PANEL = 32;

    private final Settings settings;
    private final Quantizer weight;
    private final Quantizer scale;
    private final Quantizer zero;

    /**
     * @param threshold   relative threshold of outliers; infinity: none
     * @param simplified  the statistics of a group see its outliers
     * @param actOrder    columns by falling diagonal of the Hessian
     * @param dampening   added to the diagonal, as a share of its mean
     * @param blockSize   columns whose updates are gathered
     * @param bilevelRows the second level groups consecutive rows, as the paper has it; LLMC's second level sees one row at a time and changes
     *                    nothing beyond the last bit (ODD-30)
     */
    public record Settings(double threshold, boolean simplified, boolean actOrder, double dampening, int blockSize, boolean bilevelRows,
                           QuantScheme scale, QuantScheme zero) {

        boolean outliers() {
            return !Double.isInfinite(threshold);
        }
    }

    /**
     * @param weight   [out, in] compensated weights in their own column order: rounding them with {@code params} gives the codes
     * @param params   a range for each row and group of reordered columns
     * @param order    {@code order[j]}: the column at place j of the groups; ascending without act-order
     * @param outliers bit {@code row * in + column} is set where the weight stays in high precision
     */
    public record Result(Matrix weight, QuantParams params, int[] order, BitSet outliers, int deadColumns) { }

    /** @param weight of granularity per group, minimum and maximum */
    public SpqrSolver(QuantScheme weight, Settings settings) {
        this.settings = settings;
        this.weight = Quantizer.of(weight);
        this.scale = Quantizer.of(settings.scale);
        this.zero = Quantizer.of(settings.zero);
    }

    /**
     * @param w       [out, in], left alone; the group size divides in
     * @param hessian [in, in], left alone
     * @throws io.llmc4j.engine.linalg.NotPositiveDefinite when damping is too small
     */
    public Result solve(Matrix w, Matrix hessian) {
        int in = w.cols();
        int[] order = IntStream.range(0, in).toArray();
        if (settings.actOrder) {
            order = IntStream.range(0, in).boxed().sorted((a, b) -> Float.compare(hessian.get(b, b), hessian.get(a, a))).mapToInt(Integer::intValue).toArray();
        }
        Matrix t = new Matrix(w.rows(), in);
        Matrix h = new Matrix(in, in);
        for (int j = 0; j < in; j++) {
            for (int r = 0; r < w.rows(); r++) {
                t.data()[r * in + j] = w.data()[r * in + order[j]];
            }
            for (int i = 0; i < in; i++) {
                h.data()[i * in + j] = hessian.get(order[i], order[j]);
            }
        }
        int dead = condition(t, h);
        Matrix u = Cholesky.upperInverseFactor(h);
        float threshold = settings.outliers() ? (float) (settings.threshold * outlierScale(t, u)) : Float.POSITIVE_INFINITY;
        int groups = in / groupSize(in);
        QuantParams params = new QuantParams(new float[w.rows() * groups], weight.scheme().symmetric() ? new float[0] : new float[w.rows() * groups]);
        boolean[] mask = new boolean[t.data().length];
        int panel = panelRows();
        Parallel.forRange(w.rows(), panel, (from, to) -> new Panel(t, u, threshold, params, mask, from, to).run());
        return scattered(t, params, order, mask, dead);
    }

    private int groupSize(int in) {
        return Math.min(weight.scheme().granularity().size(), in);
    }

    private int panelRows() {
        if (!settings.bilevelRows) {
            return PANEL;
        }
        int a = Math.max(1, scale.scheme().granularity().size());
        int b = Math.max(1, zero.scheme().granularity().size());
        int both = a;
        while (both % b != 0) {
            both += a;
        }
        return both * Math.max(1, PANEL / both);
    }

    /** Damps the Hessian, then frees columns that no input reached: diagonal 1, weight 0. How many there were. */
    private int condition(Matrix t, Matrix h) {
        int n = h.rows();
        boolean[] dead = new boolean[n];
        double sum = 0;
        for (int j = 0; j < n; j++) {
            dead[j] = h.get(j, j) == 0f;
            sum += Math.abs(h.get(j, j));
        }
        float damp = (float) (settings.dampening * (sum / n));
        int count = 0;
        for (int j = 0; j < n; j++) {
            if (damp > 0) {
                h.data()[j * n + j] += damp;
            }
            if (dead[j]) {
                count++;
                h.data()[j * n + j] = 1f;
                for (int r = 0; r < t.rows(); r++) {
                    t.data()[r * n + j] = 0f;
                }
            }
        }
        return count;
    }

    /** The mean over columns of their variance over the squared diagonal of U. */
    private static double outlierScale(Matrix t, Matrix u) {
        int n = t.cols();
        double sum = 0;
        for (int j = 0; j < n; j++) {
            double mean = 0;
            for (int r = 0; r < t.rows(); r++) {
                mean += t.data()[r * n + j];
            }
            mean /= t.rows();
            double squares = 0;
            for (int r = 0; r < t.rows(); r++) {
                double d = t.data()[r * n + j] - mean;
                squares += d * d;
            }
            double d = u.get(j, j);
            sum += squares / Math.max(1, t.rows() - 1) / (d * d);
        }
        return sum / n;
    }

    private static Result scattered(Matrix t, QuantParams params, int[] order, boolean[] mask, int dead) {
        int n = t.cols();
        Matrix out = new Matrix(t.rows(), n);
        BitSet outliers = new BitSet(mask.length);
        for (int r = 0; r < t.rows(); r++) {
            for (int j = 0; j < n; j++) {
                int to = r * n + order[j];
                out.data()[to] = t.data()[r * n + j];
                outliers.set(to, mask[r * n + j]);
            }
        }
        return new Result(out, params, order, outliers, dead);
    }

    /** Some rows of the weight on their way through the columns. */
    private final class Panel {

        private final Matrix t;
        private final Matrix u;
        private final float threshold;
        private final QuantParams params;
        private final boolean[] mask;
        private final int from;
        private final int rows;
        private final int in;
        private final int g;
        private final float[] column;
        private final float[] rounded;
        private float[] s = new float[0];
        private float[] z = new float[0];

        Panel(Matrix t, Matrix u, float threshold, QuantParams params, boolean[] mask, int from, int to) {
            this.t = t;
            this.u = u;
            this.threshold = threshold;
            this.params = params;
            this.mask = mask;
            this.from = from;
            this.rows = to - from;
            this.in = t.cols();
            this.g = groupSize(in);
            this.column = new float[rows];
            this.rounded = new float[rows];
        }

        void run() {
            Kernels kernels = Kernels.get();
            float[] w = t.data();
            for (int i1 = 0; i1 < in; i1 += settings.blockSize) {
                int i2 = Math.min(i1 + settings.blockSize, in);
                float[] errors = new float[rows * (i2 - i1)];
                for (int i = i1; i < i2; i++) {
                    if (i % g == 0) {
                        statistics(i);
                    }
                    float d = u.get(i, i);
                    round(i);
                    for (int r = 0; r < rows; r++) {
                        int at = (from + r) * in + i;
                        float e = (w[at] - rounded[r]) / d;
                        if (e * e > threshold) {
                            mask[at] = true;
                            e = 0f;
                        }
                        errors[r * (i2 - i1) + i - i1] = -e;
                        kernels.axpy(i2 - i - 1, -e, u.data(), i * in + i + 1, w, at + 1);
                    }
                }
                kernels.gemmNN(rows, in - i2, i2 - i1, errors, 0, i2 - i1, u.data(), i1 * in + i2, in, w, from * in + i2, in, true);
            }
        }

        private void round(int i) {
            for (int r = 0; r < rows; r++) {
                column[r] = t.data()[(from + r) * in + i];
            }
            weight.fakeQuantizeColumn(rows, column, 0, s, z, rounded, 0);
        }

        /** Scales and zero points of the group that starts at column i. */
        private void statistics(int i) {
            Matrix group = new Matrix(rows, g);
            for (int r = 0; r < rows; r++) {
                System.arraycopy(t.data(), (from + r) * in + i, group.data(), r * g, g);
            }
            if (!settings.simplified && settings.outliers()) {
                float[] diagonal = new float[g];
                for (int j = 0; j < g; j++) {
                    diagonal[j] = u.get(i + j, i + j);
                }
                LeaveOneOut gain = new LeaveOneOut(weight.scheme().bits(), diagonal);
                for (int r = 0; r < rows; r++) {
                    gain.replaceOutliers(group.data(), r * g, threshold);
                }
            }
            QuantParams p = weight.params(group);
            s = secondLevel(scale, p.scales());
            z = p.zeros().length == 0 ? p.zeros() : secondLevel(zero, p.zeros());
            int groups = in / g;
            for (int r = 0; r < rows; r++) {
                params.scales()[(from + r) * groups + i / g] = s[r];
                if (z.length != 0) {
                    params.zeros()[(from + r) * groups + i / g] = z[r];
                }
            }
        }

        private float[] secondLevel(Quantizer q, float[] v) {
            int size = q.scheme().granularity().size();
            if (!settings.bilevelRows || size == 0) {
                return q.fakeQuantize(new Matrix(v.length, 1, v)).data();
            }
            float[] out = new float[v.length];
            for (int at = 0; at < v.length; at += size) {
                int n = Math.min(size, v.length - at);
                float[] part = q.fakeQuantize(new Matrix(1, n, Arrays.copyOfRange(v, at, at + n))).data();
                System.arraycopy(part, 0, out, at, n);
            }
            return out;
        }
    }

    /**
     * How much smaller the error of a row's group gets when one of its weights is left out of it, with an asymmetric quantizer of real-valued zero
     * points.
     */
    static final class LeaveOneOut {

        private static final float SMALLEST_RANGE = 1e-5f;
        private static final float SMALLEST_SCALE = 1e-9f;

        private final float qmax;
        private final float[] diagonal;
        private final float[] gain;

        LeaveOneOut(int bits, float[] diagonal) {
            this.qmax = (1 << bits) - 1;
            this.diagonal = diagonal;
            this.gain = new float[diagonal.length];
        }

        /** Weights whose gain is above the threshold become the mean of the others (zero when there are no others). */
        void replaceOutliers(float[] x, int off, float threshold) {
            int g = gain.length;
            float base = error(x, off, -1);
            float sum = 0;
            int kept = 0;
            for (int c = 0; c < g; c++) {
                gain[c] = base - error(x, off, c);
                if (!(gain[c] > threshold)) {
                    sum += x[off + c];
                    kept++;
                }
            }
            float mean = sum / Math.max(kept, 1);
            for (int c = 0; c < g; c++) {
                if (gain[c] > threshold) {
                    x[off + c] = mean;
                }
            }
        }

        /** Sum of squared errors over the diagonal, without weight {@code left} (-1: of all). */
        private float error(float[] x, int off, int left) {
            float lo = Float.POSITIVE_INFINITY;
            float hi = Float.NEGATIVE_INFINITY;
            for (int j = 0; j < diagonal.length; j++) {
                if (j != left) {
                    lo = Math.min(lo, x[off + j]);
                    hi = Math.max(hi, x[off + j]);
                }
            }
            float s = Math.max(hi - lo, SMALLEST_RANGE) / qmax;
            float z = 0f - lo / s;
            float divisor = Math.max(s, SMALLEST_SCALE);
            float sum = 0;
            for (int j = 0; j < diagonal.length; j++) {
                if (j != left) {
                    float q = Math.min(Math.max((float) Math.rint(x[off + j] / divisor + z), 0f), qmax);
                    float e = ((q - z) * s - x[off + j]) / diagonal[j];
                    sum += e * e;
                }
            }
            return sum;
        }
    }
}
