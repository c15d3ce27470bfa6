package io.llmc4j.engine.method;

import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.kernel.Products;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantParams;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.tensor.Matrix;
import java.util.Arrays;
import java.util.function.UnaryOperator;

/**
 * The two searches of dual-grained quantization on one weight (arXiv 2310.04836; spec 3.13): first the scale and zero point of each group, then the
 * 8-bit scale of each row that the group scales become integer multiples of.
 */
public final class DgqSolver {

    private static final int GROUP_STEPS = 20;
    private static final double GROUP_SHRINK = 0.22;
    private static final int ROW_STEPS = 80;
    private static final double ROW_SHRINK = 0.82;
    private static final double START = 1.02;
    private static final float SMALLEST = 1e-5f;
    private static final float LARGEST_BYTE = 127f;

    /**
     * @param steps  group scales as multiples of the row's scale, whole numbers from 1 on, [out * groups]
     * @param zeros  [out * groups]
     * @param scale8 scale of each row's 8-bit grid, [out]
     */
    public record Result(float[] steps, float[] zeros, float[] scale8) { }

    private final Quantizer group;
    private final int size;
    private final float qmax;
    private final UnaryOperator<Matrix> roundInput;
    private final boolean asDeployed;

    /**
     * @param four       integer, asymmetric, per group
     * @param roundInput fake-quantizes activations [tokens, features]
     * @param asDeployed the search of row scales limits codes as the deployed weight does; LLMC limits nothing there (ODD-57)
     */
    public DgqSolver(QuantScheme four, UnaryOperator<Matrix> roundInput, boolean asDeployed) {
        this.asDeployed = asDeployed;
        this.group = Quantizer.of(four.withGranularity(Granularity.PER_CHANNEL));
        this.size = four.granularity().size();
        this.qmax = ((NumberFormat.Int) four.format()).qmax();
        this.roundInput = roundInput;
    }

    /**
     * @param w [out, in], left alone; the group size divides in
     * @param x [tokens, in]
     */
    public Result solve(Matrix w, Matrix x) {
        int groups = w.cols() / size;
        float[] scales = new float[w.rows() * groups];
        float[] zeros = new float[w.rows() * groups];
        for (int k = 0; k < groups; k++) {
            group(columns(w, k * size), columns(x, k * size), k, groups, scales, zeros);
        }
        float[] scale8 = rows(w, x, scales, zeros);
        float[] steps = new float[scales.length];
        for (int i = 0; i < steps.length; i++) {
            steps[i] = step(scales[i], scale8[i / groups]);
        }
        return new Result(steps, zeros, scale8);
    }

    private Matrix columns(Matrix m, int from) {
        Matrix out = new Matrix(m.rows(), size);
        for (int r = 0; r < m.rows(); r++) {
            System.arraycopy(m.data(), r * m.cols() + from, out.data(), r * size, size);
        }
        return out;
    }

    private void group(Matrix w, Matrix x, int k, int groups, float[] scales, float[] zeros) {
        Matrix target = Products.linear(x, w);
        Matrix xq = roundInput.apply(x);
        float[] lo = new float[w.rows()];
        float[] hi = new float[w.rows()];
        for (int r = 0; r < w.rows(); r++) {
            lo[r] = Float.POSITIVE_INFINITY;
            hi[r] = Float.NEGATIVE_INFINITY;
            for (int j = r * size; j < (r + 1) * size; j++) {
                lo[r] = Math.min(lo[r], w.data()[j]);
                hi[r] = Math.max(hi[r], w.data()[j]);
            }
        }
        double[] best = new double[w.rows()];
        Arrays.fill(best, Double.POSITIVE_INFINITY);
        Matrix clipped = w.copy();
        Matrix y = new Matrix(x.rows(), w.rows());
        for (int i = 0; i < GROUP_STEPS; i++) {
            float f = (float) (START - (double) (i + 1) / GROUP_STEPS * GROUP_SHRINK);
            for (int j = 0; j < clipped.data().length; j++) {
                int r = j / size;
                clipped.data()[j] = Math.min(Math.max(clipped.data()[j], lo[r] * f), hi[r] * f);
            }
            QuantParams p = group.params(clipped);
            Products.linear(xq, group.fakeQuantize(clipped, p), y, false);
            double[] loss = lossByRow(target, y);
            for (int r = 0; r < best.length; r++) {
                if (loss[r] < best[r]) {
                    best[r] = loss[r];
                    scales[r * groups + k] = p.scale(r);
                    zeros[r * groups + k] = p.zero(r);
                }
            }
        }
    }

    private float[] rows(Matrix w, Matrix x, float[] scales, float[] zeros) {
        Matrix target = Products.linear(x, w);
        Matrix xq = roundInput.apply(x);
        float[] largest = new float[w.rows()];
        for (int i = 0; i < w.data().length; i++) {
            largest[i / w.cols()] = Math.max(largest[i / w.cols()], Math.abs(w.data()[i]));
        }
        double[] best = new double[w.rows()];
        Arrays.fill(best, Double.POSITIVE_INFINITY);
        float[] out = new float[w.rows()];
        float[] trial = new float[w.rows()];
        Matrix wq = new Matrix(w.rows(), w.cols());
        Matrix y = new Matrix(x.rows(), w.rows());
        for (int i = 0; i < ROW_STEPS; i++) {
            float f = (float) (START - (double) (i + 1) / ROW_STEPS * ROW_SHRINK);
            for (int r = 0; r < trial.length; r++) {
                trial[r] = Math.max(Math.min(largest[r], largest[r] * f), SMALLEST) / LARGEST_BYTE;
            }
            round(w, scales, zeros, trial, wq);
            Products.linear(xq, wq, y, false);
            double[] loss = lossByRow(target, y);
            for (int r = 0; r < best.length; r++) {
                if (loss[r] < best[r]) {
                    best[r] = loss[r];
                    out[r] = trial[r];
                }
            }
        }
        return out;
    }

    /** LLMC's search limits codes by the row's own scale, which limits nothing; what is deployed limits them by the group's step. */
    private void round(Matrix w, float[] scales, float[] zeros, float[] scale8, Matrix out) {
        int groups = w.cols() / size;
        Parallel.forRange(w.rows(), (from, to) -> {
            for (int r = from; r < to; r++) {
                for (int k = 0; k < groups; k++) {
                    int g = r * groups + k;
                    float multiple = step(scales[g], scale8[r]);
                    float limit = (float) Math.rint(LARGEST_BYTE / (asDeployed ? multiple : scale8[r]));
                    float step = multiple * scale8[r];
                    run(w.data(), r * w.cols() + k * size, size, step, zeros[g], Math.max(zeros[g] - limit, 0f), Math.min(zeros[g] + limit, qmax), out.data());
                }
            }
        });
    }

    private static float step(float scale, float scale8) {
        return Math.max((float) Math.rint(scale / scale8), 1f);
    }

    private static void run(float[] w, int at, int n, float step, float zero, float lower, float upper, float[] out) {
        for (int j = at; j < at + n; j++) {
            out[j] = (code(w[j], step, zero, lower, upper) - zero) * step;
        }
    }

    private static float code(float w, float step, float zero, float lower, float upper) {
        return Math.min(Math.max((float) Math.rint(w / step) + zero, lower), upper);
    }

    private static double[] lossByRow(Matrix a, Matrix b) {
        double[] out = new double[a.cols()];
        for (int t = 0; t < a.rows(); t++) {
            for (int o = 0; o < out.length; o++) {
                double d = (double) a.data()[t * out.length + o] - b.data()[t * out.length + o];
                out[o] += d * d;
            }
        }
        return out;
    }

    /** Codes of the deployed weight as floats holding integers, [out, in]. */
    Matrix codes(Matrix w, Result r) {
        int groups = w.cols() / size;
        Matrix out = new Matrix(w.rows(), w.cols());
        for (int g = 0; g < r.steps.length; g++) {
            float limit = (float) Math.rint(LARGEST_BYTE / r.steps[g]);
            float lower = Math.max(r.zeros[g] - limit, 0f);
            float upper = Math.min(r.zeros[g] + limit, qmax);
            float step = r.steps[g] * r.scale8[g / groups];
            for (int j = g * size; j < (g + 1) * size; j++) {
                out.data()[j] = code(w.data()[j], step, r.zeros[g], lower, upper);
            }
        }
        return out;
    }

    int groupSize() {
        return size;
    }
}
