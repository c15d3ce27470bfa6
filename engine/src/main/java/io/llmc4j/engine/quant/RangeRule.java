package io.llmc4j.engine.quant;

/** How the range of values that share a scale is found ({@code calib_algo}). */
public sealed interface RangeRule {

    /** Smallest and largest element (spec 1.6). */
    record MinMax() implements RangeRule { }

    /** Shrinking search of the 2.4-norm (spec 1.7); {@code compound}: LLMC's factors multiply. */
    record Mse(int batches, double maxShrink, int grid, boolean compound) implements RangeRule {
        public static final Mse DEFAULT = new Mse(1, 0.8, 100, true);
    }

    /** Half-quadratic zero point (spec 1.8); {@code anneal}: beta grows by kappa each iteration, as the report says (LLMC keeps it fixed). */
    record Hqq(double lpNorm, double beta, double kappa, int iterations, boolean anneal) implements RangeRule {
        public static final Hqq DEFAULT = new Hqq(0.7, 10, 1.01, 20, true);
    }

    /** Minimum and maximum times learnt factors (spec 1.9). */
    record Learnable() implements RangeRule { }

    /** Static activations: mean of the samples' extremes (spec 1.17). */
    record StaticMinMax() implements RangeRule { }

    /** Static activations: moving average of the samples' extremes. */
    record StaticMovingMinMax() implements RangeRule { }

    /** Static activations: histogram with a search of the L2-best threshold. */
    record StaticHistogram(int bins) implements RangeRule { }
}
