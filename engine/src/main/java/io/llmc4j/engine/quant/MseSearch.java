package io.llmc4j.engine.quant;

import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.tensor.Matrix;

/**
 * Shrinking search of each range for the smallest sum of |x' - x|^2.4 (spec 1.7). The first best factor wins; a factor whose error is not
 * a number is passed over. LLMC's factors compound: an accepted one shrinks the range that later factors multiply (ODD-03).
 */
final class MseSearch {

    private static final double NORM = 2.4;

    private MseSearch() {
    }

    static Extremes search(Quantizer q, RangeRule.Mse rule, Matrix x, RangeLayout layout) {
        Extremes e = Extremes.minMax(x, layout);
        int n = layout.rangeLength();
        float tensorScale = q.tensorScale(e.lo(), e.hi());
        Parallel.forRange(layout.ranges(), 1 + 1024 / Math.max(1, n), (from, to) -> {
            float[] scratch = new float[n];
            for (int r = from; r < to; r++) {
                range(q, rule, x.data(), r * n, n, e, r, tensorScale, scratch);
            }
        });
        return e;
    }

    private static void range(Quantizer q, RangeRule.Mse rule, float[] x, int off, int n, Extremes e, int r, float tensorScale, float[] scratch) {
        double best = Double.POSITIVE_INFINITY;
        float baseLo = e.lo()[r];
        float baseHi = e.hi()[r];
        int steps = (int) (rule.maxShrink() * rule.grid());
        for (int i = 0; i < steps; i++) {
            float f = (float) (1 - (double) i / rule.grid());
            float lo = f * baseLo;
            float hi = f * baseHi;
            QuantParams p = q.params(new float[] {lo}, new float[] {hi}, tensorScale);
            q.fakeQuantizeRun(n, x, off, p.scale(0), p.zero(0), p.outputScale(0), scratch, 0);
            double error = error(n, x, off, scratch, best);
            if (error < best) {
                best = error;
                e.lo()[r] = lo;
                e.hi()[r] = hi;
                if (rule.compound()) {
                    baseLo = lo;
                    baseHi = hi;
                }
            }
        }
    }

    /** The sum, or any number not below {@code enough} once it cannot be smaller. */
    private static double error(int n, float[] x, int off, float[] y, double enough) {
        double sum = 0;
        for (int i = 0; i < n && !(sum >= enough); i++) {
            double d = Math.abs(y[i] - x[off + i]);
            if (d > 0) {
                sum += (float) Powers.pow(d, NORM);
            } else if (d != d) {
                return Double.NaN;
            }
        }
        return sum;
    }
}
