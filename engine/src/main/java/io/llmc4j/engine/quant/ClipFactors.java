package io.llmc4j.engine.quant;

import io.llmc4j.engine.tensor.Matrix;

/**
 * Learnt clipping of ranges (spec 1.9; OmniQuant's learnable weight clipping): the ends of a range are multiplied by the sigmoid of a logit.
 * A logit of +infinity does not clip.
 *
 * @param upper logits of the upper ends, one a range; length 0: not given
 * @param lower logits of the lower ends, one a range; length 0: not given (symmetric ranges need none)
 */
public record ClipFactors(float[] upper, float[] lower) {

    /** 1 / (1 + exp(-v)) in float32. */
    public static float sigmoid(float v) {
        return Powers.sigmoid(v);
    }

    /** The logit whose sigmoid is f: ln(f / (1 - f)); +infinity for 1. */
    public static float logit(float f) {
        return (float) StrictMath.log((double) f / (1.0 - f));
    }

    /**
     * Scales and zero points of x with clipped ranges. Symmetric: both ends become sigmoid(upper) * max(|lo|, |hi|, 1e-5). Asymmetric: each
     * end by its own factor, when both are given. Otherwise nothing is clipped.
     */
    public QuantParams params(Quantizer quantizer, Matrix x) {
        RangeLayout layout = quantizer.layout(x.rows(), x.cols());
        check(upper.length, layout);
        check(lower.length, layout);
        Extremes e = Extremes.minMax(x, layout);
        if (quantizer.scheme().symmetric() && upper.length != 0) {
            for (int r = 0; r < upper.length; r++) {
                float a = Math.max(Math.max(Math.abs(e.hi()[r]), Math.abs(e.lo()[r])), ScaleRule.SMALLEST);
                e.hi()[r] = sigmoid(upper[r]) * a;
                e.lo()[r] = -e.hi()[r];
            }
        } else if (!quantizer.scheme().symmetric() && upper.length != 0 && lower.length != 0) {
            for (int r = 0; r < upper.length; r++) {
                e.lo()[r] = sigmoid(lower[r]) * e.lo()[r];
                e.hi()[r] = sigmoid(upper[r]) * e.hi()[r];
            }
        }
        return quantizer.params(e.lo(), e.hi());
    }

    private static void check(int given, RangeLayout layout) {
        if (given != 0 && given != layout.ranges()) {
            throw new IllegalArgumentException(given + " clip factors for " + layout.ranges() + " ranges");
        }
    }
}
