package io.llmc4j.engine.method;

import io.llmc4j.engine.tensor.Matrix;
import java.util.function.ToDoubleFunction;

/** The arithmetic of Outlier Suppression+ (arXiv 2304.09145; spec 3.7) on the per-channel extremes of one input. */
public final class ShiftAndScale {

    /** Smallest number of steps, and how wide a step may be at most. */
    private static final int STEPS = 100;
    private static final double WIDEST = 0.5;

    private final float[] lo;
    private final float[] hi;

    private ShiftAndScale(float[] lo, float[] hi) {
        this.lo = lo;
        this.hi = hi;
    }

    /** @param parts [tokens, features] each, at least one row in all */
    public static ShiftAndScale of(Iterable<Matrix> parts) {
        float[] lo = new float[0];
        float[] hi = new float[0];
        for (Matrix x : parts) {
            if (lo.length == 0) {
                lo = new float[x.cols()];
                hi = new float[x.cols()];
                java.util.Arrays.fill(lo, Float.POSITIVE_INFINITY);
                java.util.Arrays.fill(hi, Float.NEGATIVE_INFINITY);
            }
            for (int r = 0; r < x.rows(); r++) {
                for (int j = 0; j < lo.length; j++) {
                    float v = x.data()[r * lo.length + j];
                    lo[j] = Math.min(lo[j], v);
                    hi[j] = Math.max(hi[j], v);
                }
            }
        }
        return new ShiftAndScale(lo, hi);
    }

    /** The middle of each channel. */
    public float[] shift() {
        float[] out = new float[lo.length];
        for (int j = 0; j < out.length; j++) {
            out[j] = (hi[j] + lo[j]) / 2f;
        }
        return out;
    }

    /** The extremes after a shift. */
    public ShiftAndScale minus(float[] shift) {
        float[] a = new float[lo.length];
        float[] b = new float[lo.length];
        for (int j = 0; j < a.length; j++) {
            a[j] = lo[j] - shift[j];
            b[j] = hi[j] - shift[j];
        }
        return new ShiftAndScale(a, b);
    }

    /** What brings channels that exceed the threshold down to it; 1 for all others. */
    public float[] scale(double threshold) {
        float st = (float) threshold;
        float[] out = new float[lo.length];
        for (int j = 0; j < out.length; j++) {
            float up = hi[j] > st ? hi[j] / st : 1f;
            float down = lo[j] < -st ? lo[j] / -st : 1f;
            out[j] = Math.max(up, down);
        }
        return out;
    }

    /** What a search came to; threshold 0 when nothing was tried: all scales 1. */
    public record Found(double threshold, float[] scale, int tried) { }

    /**
     * Tries thresholds from the largest value down to 1, in 100 steps or more, and keeps the one of least loss (the first of equal ones). When the
     * largest value is exactly 1 there is one threshold (LLMC never ends there, ODD-42).
     */
    public Found search(ToDoubleFunction<float[]> loss) {
        float max = 0f;
        float min = 0f;
        for (int j = 0; j < lo.length; j++) {
            max = Math.max(max, hi[j]);
            min = Math.min(min, lo[j]);
        }
        int steps = Double.isNaN(max) ? STEPS : Math.max(STEPS, (int) (max / WIDEST));
        double upper = Math.max(-min, max);
        double step = (upper - 1) / steps;
        double best = 0;
        double bestLoss = Double.NaN;
        int tried = 0;
        for (double st = upper; st >= 1; st -= step) {
            double l = loss.applyAsDouble(scale(st));
            if (tried == 0 || l < bestLoss) {
                best = st;
                bestLoss = l;
            }
            tried++;
            if (step == 0) {
                break;
            }
        }
        float[] ones = new float[lo.length];
        java.util.Arrays.fill(ones, 1f);
        return new Found(best, tried == 0 ? ones : scale(best), tried);
    }
}
