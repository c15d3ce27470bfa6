package io.llmc4j.engine.quant;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.tensor.Matrix;

/** Applies the range rule of a scheme to a matrix (spec 1.6 to 1.8). */
final class RangeSearch {

    private RangeSearch() {
    }

    /** Learnable and static rules, called without their factors or samples, are minimum and maximum, as LLMC has it. */
    static QuantParams params(Quantizer q, Matrix x) {
        RangeLayout layout = q.layout(x.rows(), x.cols());
        return switch (q.scheme().range()) {
            case RangeRule.Mse rule -> {
                contiguous(layout, "mse");
                // Shrunk ranges keep the tensor's own second level.
                float tensorScale = q.tensorScale(x);
                Extremes e = MseSearch.search(q, rule, x, layout);
                yield q.params(e.lo(), e.hi(), tensorScale);
            }
            case RangeRule.Hqq rule -> {
                contiguous(layout, "hqq");
                if (!(q instanceof GridQuantizer g && g.grid() instanceof IntegerGrid grid)) {
                    throw new BadInput(BadInput.Common.CONFIG, "calib_algo hqq finds zero points and needs integer codes, not " + q.scheme().format());
                }
                Extremes e = Extremes.minMax(x, layout);
                yield HqqSolver.solve(x, layout, grid, q.params(e.lo(), e.hi()), rule);
            }
            default -> {
                Extremes e = Extremes.minMax(x, layout);
                yield q.params(e.lo(), e.hi());
            }
        };
    }

    private static void contiguous(RangeLayout layout, String rule) {
        if (!layout.contiguous()) {
            throw new BadInput(BadInput.Common.CONFIG, "granularity per_block needs calib_algo minmax, not " + rule);
        }
    }
}
