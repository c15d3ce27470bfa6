package io.llmc4j.engine.method;

import io.llmc4j.engine.calibrate.Gathering;
import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.model.Folding;
import io.llmc4j.engine.model.Hidden;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.quant.RangeLayout;
import io.llmc4j.engine.tensor.Matrix;
import java.util.Arrays;
import java.util.List;

/** The statistics and the formula of AWQ's scale (arXiv 2306.00978; spec 3.2): pure functions on matrices. */
public final class AwqScale {

    /** Columns whose zeros of the quadratic form are left out together. */
    private static final int STRIP = 256;

    /** Scales below this are raised to it. */
    static final float SMALLEST = 1e-4f;

    /** How a scale follows from the statistics. */
    public enum Version {
        /** c^r / w^(1 - r) */
        V1,
        /** c^r */
        V2
    }

    private AwqScale() {
    }

    /**
     * Importance of each input channel by the weights: |w| over the largest |w| of its range, averaged over outputs, averaged over layers.
     * A range of zeros gives NaN, as in LLMC.
     *
     * @param granularity of the weights; per tensor counts each row as a range
     */
    public static float[] weightImportance(List<Matrix> weights, Granularity granularity) {
        int in = weights.getFirst().cols();
        double[] sum = new double[in];
        for (Matrix w : weights) {
            Granularity g = granularity.kind() == Granularity.Kind.PER_TENSOR ? Granularity.PER_CHANNEL : granularity;
            RangeLayout layout = RangeLayout.of(g, w.rows(), in);
            float[] largest = new float[layout.ranges()];
            for (int s = 0; s < layout.segments(); s++) {
                for (int i = layout.start(s); i < layout.start(s) + layout.length(s); i++) {
                    largest[layout.range(s)] = Math.max(largest[layout.range(s)], Math.abs(w.data()[i]));
                }
            }
            double[] column = new double[in];
            for (int s = 0; s < layout.segments(); s++) {
                float by = largest[layout.range(s)];
                for (int i = layout.start(s); i < layout.start(s) + layout.length(s); i++) {
                    column[i % in] += Math.abs(w.data()[i]) / by;
                }
            }
            for (int j = 0; j < in; j++) {
                sum[j] += (float) (column[j] / w.rows());
            }
        }
        float[] out = new float[in];
        for (int j = 0; j < in; j++) {
            out[j] = (float) (sum[j] / weights.size());
        }
        return out;
    }

    /**
     * The loss of a scale where the inspected module is one linear layer with float inputs, but for the factor 1 / (tokens * outputs):
     * sum over outputs of d G dᵀ with d = rounded(w t) / t - w.
     *
     * @param form {@link #quadraticForm} of XᵀX of the inputs, [in, in]
     */
    public static double quadraticLoss(Matrix w, Matrix form, float[] t, Quantizer quantizer) {
        Matrix d = w.copy();
        Folding.multiplyColumns(d, t);
        d = quantizer.fakeQuantize(d);
        Gathering.divideRows(d, t);
        for (int i = 0; i < d.data().length; i++) {
            d.data()[i] -= w.data()[i];
        }
        int in = d.cols();
        Matrix dg = new Matrix(d.rows(), in);
        for (int j = 0; j < in; j += STRIP) {
            int strip = Math.min(STRIP, in - j);
            Kernels.get().gemmNN(d.rows(), strip, j + strip, d.data(), 0, in, form.data(), j, in, dg.data(), j, in, false);
        }
        double sum = 0;
        for (int r = 0; r < d.rows(); r++) {
            sum += Kernels.get().dot(d.cols(), dg.data(), r * d.cols(), d.data(), r * d.cols());
        }
        return sum;
    }

    /** The upper triangular T with d T dᵀ = d G dᵀ for a symmetric G, in its place: a product with T is half the work. */
    public static Matrix quadraticForm(Matrix gram) {
        for (int i = 0; i < gram.rows(); i++) {
            Arrays.fill(gram.data(), i * gram.cols(), i * gram.cols() + i, 0f);
            for (int j = i + 1; j < gram.cols(); j++) {
                gram.set(i, j, 2 * gram.get(i, j));
            }
        }
        return gram;
    }

    /** Adds |x| of the samples {@code from} to {@code to - 1} column by column. */
    static void addMagnitudes(Hidden x, int from, int to, double[] sum) {
        int n = x.data().cols();
        for (int r = from * x.tokens(); r < to * x.tokens(); r++) {
            for (int j = 0; j < n; j++) {
                sum[j] += Math.abs(x.data().data()[r * n + j]);
            }
        }
    }

    /**
     * t = max(c^r / w^(1-r), 1e-4) or max(c^r, 1e-4), over sqrt(max t * min t).
     *
     * @param c mean magnitude of each channel
     * @param w importance by the weights (V1 only)
     */
    public static float[] of(Version version, float[] c, float[] w, double ratio) {
        double r = (float) ratio;
        float[] t = new float[c.length];
        float max = Float.NEGATIVE_INFINITY;
        float min = Float.POSITIVE_INFINITY;
        for (int j = 0; j < c.length; j++) {
            float v = (float) StrictMath.pow(c[j], r);
            if (version == Version.V1) {
                v = v / (float) StrictMath.pow(w[j], (float) (1 - ratio));
            }
            t[j] = Math.max(v, SMALLEST);
            max = Math.max(max, t[j]);
            min = Math.min(min, t[j]);
        }
        float norm = (float) Math.sqrt(max * min);
        for (int j = 0; j < t.length; j++) {
            t[j] /= norm;
        }
        return t;
    }
}
