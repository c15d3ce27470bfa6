package io.llmc4j.engine.method;

import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.quant.ActivationRounding;
import io.llmc4j.engine.quant.ClipFactors;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.tensor.Matrix;
import java.util.Arrays;
import java.util.Optional;

/**
 * The search for the range of each group of one weight: of ten shrink factors 1, 0.95 … 0.55, the one whose rounding changes the group's part
 * of the output least (spec 3.3). A pure function of the weight and the layer's inputs.
 *
 * <p>With d = rounded - w, the error of a group is the mean over tokens of (xq · d + (xq - x) · w)². With more tokens than columns in a group it is
 * computed as a quadratic form in d with the group's Gram matrix, so tokens cost once and not once a candidate.
 */
public final class ClipSearch {

    /** Candidates i = 0 … 9 with factor 1 - i / 20. */
    private static final int CANDIDATES = 10;
    private static final double STEPS = 20;
    private static final float FAR = 1e9f;

    /** Rows whose range is searched together where the whole chunk has one range (per tensor, ODD-34). */
    private static final int LARGE_CHUNK = 256;
    private static final int SMALL_CHUNK = 64;

    /** Best ends of the range of each (row, group), row-major [rows * groups]. */
    public record Ranges(float[] lo, float[] hi, int groups) { }

    private final Quantizer quantizer;
    private final Optional<ActivationRounding> rounding;
    private final boolean symmetric;
    private final boolean byFactors;

    /**
     * @param rounding  of the inputs, or empty when they stay float
     * @param symmetric both ends shrink as one: ±max|w| ({@code clip_sym})
     * @param byFactors v2: ranges come from clip factors; false (v1): from the clamped weight
     */
    public ClipSearch(Quantizer quantizer, Optional<ActivationRounding> rounding, boolean symmetric, boolean byFactors) {
        this.quantizer = quantizer;
        this.rounding = rounding;
        this.symmetric = symmetric;
        this.byFactors = byFactors;
    }

    /** Columns of a range: the group size, or the whole row. */
    static int rangeLength(Granularity g, int cols) {
        return g.kind() == Granularity.Kind.PER_GROUP ? Math.min(g.size(), cols) : cols;
    }

    /**
     * @param w [out, in]
     * @param x [tokens, in]
     */
    public Ranges best(Matrix w, Matrix x) {
        int length = rangeLength(quantizer.scheme().granularity(), w.cols());
        int groups = w.cols() / length;
        Ranges out = new Ranges(new float[w.rows() * groups], new float[w.rows() * groups], groups);
        Parallel.forEach(groups, g -> group(columns(w, g * length, length), columns(x, g * length, length), g, out));
        return out;
    }

    private static Matrix columns(Matrix m, int from, int count) {
        if (count == m.cols()) {
            return m;
        }
        Matrix out = new Matrix(m.rows(), count);
        for (int r = 0; r < m.rows(); r++) {
            System.arraycopy(m.data(), r * m.cols() + from, out.data(), r * count, count);
        }
        return out;
    }

    private void group(Matrix w, Matrix x, int g, Ranges out) {
        int chunk = w.rows();
        if (quantizer.scheme().granularity().kind() == Granularity.Kind.PER_TENSOR) {
            chunk = w.rows() % LARGE_CHUNK == 0 ? LARGE_CHUNK : SMALL_CHUNK;
        }
        Errors errors = new Errors(x);
        for (int from = 0; from < w.rows(); from += chunk) {
            Matrix part = chunk >= w.rows() ? w : w.rows(from, Math.min(w.rows(), from + chunk));
            search(part, errors, from, g, out);
        }
    }

    private void search(Matrix w, Errors errors, int firstRow, int g, Ranges out) {
        float[] hi0 = new float[w.rows()];
        float[] lo0 = new float[w.rows()];
        Kernels k = Kernels.get();
        for (int r = 0; r < w.rows(); r++) {
            hi0[r] = symmetric ? k.absMax(w.cols(), w.data(), r * w.cols()) : k.max(w.cols(), w.data(), r * w.cols());
            lo0[r] = k.min(w.cols(), w.data(), r * w.cols());
        }
        float[] best = new float[w.rows()];
        Arrays.fill(best, FAR);
        errors.target(w);
        for (int i = 0; i < CANDIDATES; i++) {
            float f = (float) (1 - i / STEPS);
            float[] hi = new float[w.rows()];
            float[] lo = new float[w.rows()];
            for (int r = 0; r < w.rows(); r++) {
                hi[r] = hi0[r] * f;
                lo[r] = symmetric ? -hi[r] : lo0[r] * f;
            }
            float[] e = errors.of(w, byFactors ? roundedByFactors(w, lo, hi, lo0, hi0) : quantizer.fakeQuantize(clamped(w, lo, hi, 1)));
            for (int r = 0; r < w.rows(); r++) {
                int at = (firstRow + r) * out.groups + g;
                // The first candidate stands until a better one: also where every error is not a number.
                if (e[r] < best[r] || i == 0) {
                    best[r] = e[r] < best[r] ? e[r] : FAR;
                    out.hi[at] = hi[r];
                    out.lo[at] = lo[r];
                }
            }
        }
    }

    private Matrix roundedByFactors(Matrix w, float[] lo, float[] hi, float[] lo0, float[] hi0) {
        float[] u = new float[w.rows()];
        float[] l = new float[w.rows()];
        for (int r = 0; r < w.rows(); r++) {
            u[r] = ClipFactors.logit(hi[r] / hi0[r]);
            l[r] = ClipFactors.logit(lo[r] / lo0[r]);
        }
        boolean perRow = quantizer.scheme().granularity().kind() != Granularity.Kind.PER_TENSOR;
        ClipFactors factors = perRow ? new ClipFactors(u, l) : new ClipFactors(new float[] {u[0]}, new float[] {l[0]});
        return quantizer.fakeQuantize(w, factors.params(quantizer, w));
    }

    /** Each group of each row clamped to its range. */
    static Matrix clamped(Matrix w, float[] lo, float[] hi, int groups) {
        Matrix out = new Matrix(w.rows(), w.cols());
        int length = w.cols() / groups;
        for (int i = 0; i < out.data().length; i++) {
            int range = i / length;
            out.data()[i] = Math.min(Math.max(w.data()[i], lo[range]), hi[range]);
        }
        return out;
    }

    /** Errors of candidates for one group's inputs. */
    private final class Errors {

        private final Matrix x;
        private final Matrix xq;
        private final Optional<Matrix> gram;
        private Matrix offset;
        private float[] offsetSquares;
        private Matrix cross;

        Errors(Matrix x) {
            this.x = x;
            this.xq = rounding.isPresent() ? rounding.get().fakeQuantize(x, 1, x.rows()) : x;
            Matrix h = null;
            if (x.rows() > x.cols()) {
                h = new Matrix(x.cols(), x.cols());
                Kernels.get().syrk(xq.rows(), xq.cols(), xq.data(), 0, xq.cols(), h.data(), h.cols());
            }
            gram = Optional.ofNullable(h);
        }

        /** What stays the same for all candidates of these rows: (xq - x) wᵀ, [tokens, rows]. */
        void target(Matrix w) {
            if (rounding.isEmpty()) {
                return;
            }
            Matrix moved = new Matrix(x.rows(), x.cols());
            for (int i = 0; i < moved.data().length; i++) {
                moved.data()[i] = xq.data()[i] - x.data()[i];
            }
            offset = new Matrix(x.rows(), w.rows());
            Kernels.get().gemmNT(x.rows(), w.rows(), x.cols(), moved.data(), 0, x.cols(), w.data(), 0, w.cols(), offset.data(), 0, w.rows(), false);
            offsetSquares = columnSquares(offset);
            if (gram.isPresent()) {
                cross = new Matrix(w.rows(), w.cols());
                Kernels.get().gemmTN(w.rows(), w.cols(), x.rows(), offset.data(), 0, w.rows(), xq.data(), 0, x.cols(), cross.data(), 0, w.cols(), false);
            }
        }

        /** Mean squared error of each row. */
        float[] of(Matrix w, Matrix rounded) {
            Matrix d = new Matrix(w.rows(), w.cols());
            for (int i = 0; i < d.data().length; i++) {
                d.data()[i] = rounded.data()[i] - w.data()[i];
            }
            return gram.isPresent() ? quadratic(d, gram.get()) : direct(d);
        }

        private float[] quadratic(Matrix d, Matrix h) {
            Kernels k = Kernels.get();
            Matrix dh = new Matrix(d.rows(), d.cols());
            k.gemmNN(d.rows(), d.cols(), d.cols(), d.data(), 0, d.cols(), h.data(), 0, d.cols(), dh.data(), 0, d.cols(), false);
            float[] e = new float[d.rows()];
            for (int r = 0; r < e.length; r++) {
                float sum = k.dot(d.cols(), dh.data(), r * d.cols(), d.data(), r * d.cols());
                if (rounding.isPresent()) {
                    sum += 2 * k.dot(d.cols(), cross.data(), r * d.cols(), d.data(), r * d.cols()) + offsetSquares[r];
                }
                e[r] = sum / x.rows();
            }
            return e;
        }

        private float[] direct(Matrix d) {
            Matrix y = rounding.isPresent() ? offset.copy() : new Matrix(x.rows(), d.rows());
            Kernels.get().gemmNT(x.rows(), d.rows(), x.cols(), xq.data(), 0, x.cols(), d.data(), 0, d.cols(), y.data(), 0, d.rows(), true);
            float[] e = columnSquares(y);
            for (int r = 0; r < e.length; r++) {
                e[r] /= x.rows();
            }
            return e;
        }

        private static float[] columnSquares(Matrix y) {
            double[] sum = new double[y.cols()];
            for (int t = 0; t < y.rows(); t++) {
                for (int r = 0; r < sum.length; r++) {
                    float v = y.data()[t * sum.length + r];
                    sum[r] += (double) v * v;
                }
            }
            float[] out = new float[sum.length];
            for (int r = 0; r < out.length; r++) {
                out[r] = (float) sum[r];
            }
            return out;
        }
    }
}
