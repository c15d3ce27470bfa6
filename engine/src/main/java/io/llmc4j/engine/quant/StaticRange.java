package io.llmc4j.engine.quant;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.tensor.Matrix;

/**
 * Static calibration of one activation, per tensor (spec 1.17): samples go in one by one, in order; the range comes out. Not thread-safe.
 */
public abstract sealed class StaticRange permits StaticRange.Mean, StaticRange.Moving, ActivationHistogram {

    private int samples;

    /**
     * By the scheme's range rule; a rule that is not static counts as static_minmax (LLMC fails there, ODD-15).
     * Throws BadInput when the granularity is not per tensor, or when the histogram is asked for asymmetric codes.
     */
    public static StaticRange of(QuantScheme scheme) {
        if (scheme.granularity().kind() != Granularity.Kind.PER_TENSOR) {
            throw BadInput.of(BadInput.Common.CONFIG, "static activations need granularity per_tensor, not %s", scheme.granularity().kind());
        }
        return switch (scheme.range()) {
            case RangeRule.StaticMovingMinMax r -> new Moving();
            case RangeRule.StaticHistogram h -> {
                if (!scheme.symmetric() || !(scheme.format() instanceof NumberFormat.Int)) {
                    throw new BadInput(BadInput.Common.CONFIG, "calib_algo static_hist needs symmetric integer activations; use static_minmax");
                }
                yield new ActivationHistogram(h.bins(), 1 << scheme.bits());
            }
            default -> new Mean();
        };
    }

    /** @param sample [tokens, features] of one sample, at least one value */
    public final void add(Matrix sample) {
        float[] x = sample.data();
        add(x, Kernels.get().min(x.length, x, 0), Kernels.get().max(x.length, x, 0), samples);
        samples++;
    }

    /** The range of all samples so far. Throws BadInput (DATA) when no sample came. */
    public final Ends range() {
        if (samples == 0) {
            throw new BadInput(BadInput.Common.DATA, "insufficient calibration data: a layer with static activations saw no sample");
        }
        return ends();
    }

    /** Scale and zero point of {@link #range} by 1.4. */
    public final QuantParams params(Quantizer quantizer) {
        Ends e = range();
        return quantizer.params(new float[] {e.lo}, new float[] {e.hi});
    }

    abstract void add(float[] x, float lo, float hi, int index);

    /** Both ends; called after at least one sample. */
    abstract Ends ends();

    /** Both ends of a range, and how many steps a search took to find it (0 where nothing is searched). */
    public record Ends(float lo, float hi, long steps) { }

    /** Mean of the samples' smallest and of their largest values. */
    static final class Mean extends StaticRange {
        private float lo;
        private float hi;
        private int n;

        @Override
        void add(float[] x, float min, float max, int index) {
            lo += min;
            hi += max;
            n = index + 1;
        }

        @Override
        Ends ends() {
            return new Ends(lo / n, hi / n, 0);
        }
    }

    /** m + 0.01 (v - m), starting with the first sample. */
    static final class Moving extends StaticRange {
        private static final float RATE = 0.01f;
        private float lo;
        private float hi;

        @Override
        void add(float[] x, float min, float max, int index) {
            lo = index == 0 ? min : lo + RATE * (min - lo);
            hi = index == 0 ? max : hi + RATE * (max - hi);
        }

        @Override
        Ends ends() {
            return new Ends(lo, hi, 0);
        }
    }
}
