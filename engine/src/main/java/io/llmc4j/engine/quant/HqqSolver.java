package io.llmc4j.engine.quant;

import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.tensor.Matrix;

/**
 * Half-quadratic quantization (Badri and Shaji 2023; spec 1.8): real-valued zero points by alternating a shrinkage of the error and a mean.
 * The stop is one scalar for the whole tensor, and the zero points of the failing iteration are kept (ODD-05, ODD-06).
 */
final class HqqSolver {

    private static final float WORST = 1e4f;

    /** The mean's accumulators: four rows of eight lanes, joined in order, which is the order of LLMC's numbers for ranges of up to 512. */
    private static final int ROWS = 4;
    private static final int LANES = 8;

    private HqqSolver() {
    }

    static QuantParams solve(Matrix x, RangeLayout layout, IntegerGrid grid, QuantParams start, RangeRule.Hqq rule) {
        int n = layout.rangeLength();
        int ranges = layout.ranges();
        float[] inverse = new float[ranges];
        float[] z = new float[ranges];
        for (int r = 0; r < ranges; r++) {
            inverse[r] = 1f / start.scale(r);
            z[r] = start.zero(r);
        }
        double[] errors = new double[ranges];
        float best = WORST;
        double beta = rule.beta();
        for (int it = 0; it < rule.iterations(); it++) {
            Shrink shrink = new Shrink(beta, rule.lpNorm());
            Parallel.forRange(ranges, 1 + 4096 / Math.max(1, n), (from, to) -> {
                for (int r = from; r < to; r++) {
                    errors[r] = range(n, x.data(), r * n, inverse[r], z, r, grid, shrink);
                }
            });
            double total = 0;
            for (double v : errors) {
                total += v;
            }
            if (rule.anneal()) {
                beta *= rule.kappa();
            }
            float error = (float) (total / x.data().length);
            if (!(error < best)) {
                break;
            }
            best = error;
        }
        float[] s = new float[ranges];
        for (int r = 0; r < ranges; r++) {
            s[r] = 1f / inverse[r];
        }
        return new QuantParams(s, z);
    }

    /** One iteration of one range: replaces z[r], returns the sum of |x - x'|. */
    private static double range(int n, float[] x, int off, float inverse, float[] z, int r, IntegerGrid grid, Shrink shrink) {
        float zero = z[r];
        float[] partial = new float[ROWS * LANES];
        int whole = n / partial.length * partial.length;
        double error = 0;
        for (int i = 0; i < n; i++) {
            float v = x[off + i];
            float q = Math.min(Math.max((float) Math.rint(v * inverse + zero), grid.qmin()), grid.qmax());
            float d = v - (q - zero) / inverse;
            partial[i & (i < whole ? partial.length : LANES) - 1] += q - (v - shrink.of(d)) * inverse;
            error += Math.abs(d);
        }
        float sum = 0;
        for (int i = LANES; i < partial.length; i++) {
            partial[i % LANES] += partial[i];
        }
        for (int i = 0; i < LANES; i++) {
            sum += partial[i];
        }
        z[r] = sum / n;
        return error;
    }

    /** sign(v) max(|v| - |v|^(p - 1) / beta, 0); for p = 1 soft thresholding. */
    private record Shrink(float threshold, double power, float surelyZero) {

        Shrink(double beta, double lpNorm) {
            // |v| <= |v|^(p - 1) / beta up to |v|^(2 - p) = 1 / beta; a little less spares the power without deciding anything.
            this((float) (1 / beta), lpNorm - 1, lpNorm < 2 ? (float) (0.999 * Powers.pow(1 / beta, 1 / (2 - lpNorm))) : 0f);
        }

        float of(float v) {
            float a = Math.abs(v);
            if (a < surelyZero || a == 0f) {
                return Math.copySign(0f, v);
            }
            if (a != a) {
                return v;
            }
            float t = power == 0 ? threshold : threshold * (float) Powers.pow(a, power);
            return Math.copySign(Math.max(a - t, 0f), v);
        }
    }
}
