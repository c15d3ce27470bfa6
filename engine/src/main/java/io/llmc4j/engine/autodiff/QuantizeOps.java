package io.llmc4j.engine.autodiff;

import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.tensor.Matrix;

/**
 * Fake quantization with dynamic ranges, and its gradient: rounding passes gradients straight through where it is told to, clipping
 * stops them, and they flow through the scale to the extremes of the range (shared equally among tied extremes) and to learnt clip factors
 * (OmniQuant, arXiv 2308.13137, equation 2; LLMC's quantizer arithmetic).
 */
public final class QuantizeOps {

    private static final float MIN_RANGE = 1e-5f;

    private QuantizeOps() {
    }

    /**
     * An integer grid for ranges of {@code rangeLength} consecutive elements.
     *
     * @param straightThrough the gradient of rounding is 1 (else 0)
     */
    public record Grid(float qmin, float qmax, boolean symmetric, boolean roundZeroPoint, boolean straightThrough) { }

    /**
     * Quantizes and dequantizes each range of {@code rangeLength} elements.
     *
     * @param x     any shape whose element count the range length divides
     * @param upper logits of the upper clip factor [ranges, 1]; a constant of no elements: none
     * @param lower logits of the lower clip factor [ranges, 1] (asymmetric grids); a constant of no elements: none
     */
    public static Var fakeQuantize(Tape tape, Var x, int rangeLength, Grid grid, Var upper, Var lower) {
        int ranges = x.value().data().length / rangeLength;
        boolean clipped = upper.value().data().length > 0 && (grid.symmetric || lower.value().data().length > 0);
        float[] v = x.value().data();
        Matrix y = tape.buffer(x.rows(), x.cols());
        float[] scales = tape.floats(ranges);
        float[] zeros = tape.floats(ranges);
        float[] lows = tape.floats(ranges);
        float[] highs = tape.floats(ranges);
        Kernels k = Kernels.get();
        Parallel.forEach(ranges, r -> {
            int o = r * rangeLength;
            float lo = k.min(rangeLength, v, o);
            float hi = k.max(rangeLength, v, o);
            lows[r] = lo;
            highs[r] = hi;
            if (grid.symmetric) {
                float a = Math.max(Math.max(Math.abs(hi), Math.abs(lo)), MIN_RANGE);
                if (clipped) {
                    a = Math.max(sigmoid(upper.value().data()[r]) * a, MIN_RANGE);
                }
                scales[r] = a / grid.qmax;
            } else {
                if (clipped) {
                    lo = sigmoid(lower.value().data()[r]) * lo;
                    hi = sigmoid(upper.value().data()[r]) * hi;
                }
                float s = Math.max(hi - lo, MIN_RANGE) / (grid.qmax - grid.qmin);
                scales[r] = s;
                zeros[r] = grid.roundZeroPoint ? Math.min(Math.max(grid.qmin - (float) Math.rint(lo / s), grid.qmin), grid.qmax) : grid.qmin - lo / s;
            }
            if (grid.roundZeroPoint) {
                k.fakeQuantize(rangeLength, v, o, scales[r], zeros[r], grid.qmin, grid.qmax, y.data(), o);
            } else {
                float s = scales[r];
                float divisor = Math.max(s, 1e-9f);
                for (int i = o; i < o + rangeLength; i++) {
                    float q = Math.min(Math.max((float) Math.rint(v[i] / divisor + zeros[r]), grid.qmin), grid.qmax);
                    y.data()[i] = (q - zeros[r]) * s;
                }
            }
        });
        boolean needs = x.needsGradient() || upper.needsGradient() || lower.needsGradient();
        return tape.record(y, needs, dy -> {
            touch(x, upper, lower);
            Parallel.forEach(ranges, r -> backward(x, upper, lower, grid, clipped, rangeLength, r, scales[r], zeros[r], lows[r], highs[r], dy.data()));
        });
    }

    private static void backward(Var x, Var upper, Var lower, Grid grid, boolean clipped, int n, int r, float s, float z, float lo0, float hi0,
                                 float[] d) {
        float[] v = x.value().data();
        float[] dx = x.needsGradient() ? x.gradient().data() : null;
        int o = r * n;
        double ds = 0;
        double dz = 0;
        for (int i = o; i < o + n; i++) {
            float code = grid.roundZeroPoint ? (float) Math.rint(v[i] / s) + z : (float) Math.rint(v[i] / s + z);
            boolean inside = code >= grid.qmin && code <= grid.qmax;
            float offset = Math.min(Math.max(code, grid.qmin), grid.qmax) - z;
            double through = inside && grid.straightThrough ? 1 : 0;
            ds += d[i] * (offset - through * (v[i] / s));
            if (!grid.roundZeroPoint) {
                dz += d[i] * (double) s * (through - 1);
            }
            if (dx != null) {
                dx[i] += (float) (d[i] * through);
            }
        }
        if (grid.symmetric) {
            symmetricRange(x, upper, clipped, n, r, lo0, hi0, ds / grid.qmax);
            return;
        }
        double up = clipped ? sigmoid(upper.value().data()[r]) : 1;
        double down = clipped ? sigmoid(lower.value().data()[r]) : 1;
        double lo = down * lo0;
        double hi = up * hi0;
        double dLo = 0;
        if (!grid.roundZeroPoint) {
            dLo += -dz / s;
            ds += dz * lo / ((double) s * s);
        }
        double dRange = hi - lo >= MIN_RANGE ? ds / (grid.qmax - grid.qmin) : 0;
        double dHi = dRange;
        dLo -= dRange;
        if (clipped) {
            if (upper.needsGradient()) {
                upper.gradient().data()[r] += (float) (dHi * hi0 * slope(up));
            }
            if (lower.needsGradient()) {
                lower.gradient().data()[r] += (float) (dLo * lo0 * slope(down));
            }
        }
        if (dx != null) {
            spread(v, dx, o, n, hi0, dHi * up);
            spread(v, dx, o, n, lo0, dLo * down);
        }
    }

    /** Hands the gradient {@code dA} of a symmetric range's clipped end on to its clip logit and its extremes. */
    private static void symmetricRange(Var x, Var upper, boolean clipped, int n, int r, float lo, float hi, double dA) {
        float extreme = Math.max(Math.abs(hi), Math.abs(lo));
        double factor = clipped ? sigmoid(upper.value().data()[r]) : 1;
        float end = Math.max(extreme, MIN_RANGE);
        if (factor * end < MIN_RANGE) {
            return;
        }
        if (clipped && upper.needsGradient()) {
            upper.gradient().data()[r] += (float) (dA * end * slope(factor));
        }
        if (!x.needsGradient() || extreme < MIN_RANGE) {
            return;
        }
        float[] v = x.value().data();
        float[] dx = x.gradient().data();
        double g = dA * factor;
        if (Math.abs(hi) == Math.abs(lo) && hi != lo) {
            spread(v, dx, r * n, n, hi, g / 2 * Math.signum(hi));
            spread(v, dx, r * n, n, lo, g / 2 * Math.signum(lo));
        } else {
            float at = Math.abs(hi) >= Math.abs(lo) ? hi : lo;
            spread(v, dx, r * n, n, at, g * Math.signum(at));
        }
    }

    /**
     * The gradient of symmetric fake quantization to any other grid, whose values are known: rounding passes it straight through inside the grid, ends
     * stop it, and through the scale it flows as if that were in proportion to the range's (clipped) end, its own rounding (a power of two, e4m3)
     * passed straight through.
     *
     * @param x               any shape whose element count {@code rangeLength} divides
     * @param rounded         x, quantized and dequantized
     * @param scales          what each range was divided by
     * @param largest         largest value of the grid
     * @param straightThrough the gradient of rounding is 1 (else 0)
     * @param upper           logits of the clip factor [ranges, 1]; a constant of no elements: none
     */
    public static Var scaledGrid(Tape tape, Var x, Matrix rounded, int rangeLength, float[] scales, float largest, boolean straightThrough, Var upper) {
        boolean clipped = upper.value().data().length > 0;
        float[] v = x.value().data();
        return tape.record(rounded, x.needsGradient() || upper.needsGradient(), dy -> {
            touch(x, upper);
            float[] d = dy.data();
            float[] dx = x.needsGradient() ? x.gradient().data() : null;
            Parallel.forEach(scales.length, r -> {
                int o = r * rangeLength;
                float s = scales[r];
                float lo = Kernels.get().min(rangeLength, v, o);
                float hi = Kernels.get().max(rangeLength, v, o);
                double ds = 0;
                for (int i = o; i < o + rangeLength; i++) {
                    double through = straightThrough && Math.abs(v[i] / s) <= largest ? 1 : 0;
                    ds += d[i] * (rounded.data()[i] - through * v[i]) / s;
                    if (dx != null) {
                        dx[i] += (float) (d[i] * through);
                    }
                }
                double end = Math.max(Math.max(Math.abs(lo), Math.abs(hi)), MIN_RANGE) * (clipped ? sigmoid(upper.value().data()[r]) : 1);
                symmetricRange(x, upper, clipped, rangeLength, r, lo, hi, ds * s / end);
            });
        });
    }

    private static void spread(float[] v, float[] dx, int o, int n, float extreme, double g) {
        int count = 0;
        for (int i = o; i < o + n; i++) {
            if (v[i] == extreme) {
                count++;
            }
        }
        for (int i = o; i < o + n; i++) {
            if (v[i] == extreme) {
                dx[i] += (float) (g / count);
            }
        }
    }

    /** Gradients are made on first use, which must not happen on several threads. */
    private static void touch(Var... vars) {
        for (Var v : vars) {
            if (v.needsGradient()) {
                v.gradient();
            }
        }
    }

    private static double slope(double sigmoid) {
        return sigmoid * (1 - sigmoid);
    }

    private static float sigmoid(float logit) {
        return (float) ActivationOps.sigmoid(logit);
    }

    /**
     * The identity in the backward pass around any forward value ({@code ste_all}): the value is {@code rounded}, the gradient goes to x unchanged.
     */
    public static Var straightThrough(Tape tape, Var x, Matrix rounded) {
        return tape.record(rounded, x.needsGradient(), dy -> {
            float[] dx = x.gradient().data();
            for (int i = 0; i < dx.length; i++) {
                dx[i] += dy.data()[i];
            }
        });
    }

    /**
     * Learnt rounding (TesseraQ, arXiv 2410.19103; AdaRound, arXiv 2004.10568): w' = (clamp(floor(w / s) + h(V) + z, qmin, qmax) - z) * s * F with the
     * rectified sigmoid h(V) = clamp(1.2 sigmoid(V) - 0.1, 0, 1) and F = 2 h(f).
     *
     * @param base   floor(w / s) in range layout [ranges, rangeLength]
     * @param v      rounding variables, same shape
     * @param scales [ranges]
     * @param zeros  [ranges] or length 0
     * @param f      output factor variables [ranges, 1]; a constant of no elements: F = 1
     */
    public static Var softRound(Tape tape, Matrix base, Var v, float[] scales, float[] zeros, float qmin, float qmax, Var f, int rows, int cols) {
        int n = base.cols();
        Matrix y = tape.buffer(rows, cols);
        boolean factors = f.value().data().length > 0;
        Parallel.forEach(base.rows(), r -> {
            float z = zeros.length == 0 ? 0f : zeros[r];
            float s = factors ? scales[r] * (2 * rectified(f.value().data()[r])) : scales[r];
            for (int i = r * n; i < (r + 1) * n; i++) {
                float code = Math.min(Math.max(base.data()[i] + rectified(v.value().data()[i]) + z, qmin), qmax);
                y.data()[i] = (code - z) * s;
            }
        });
        return tape.record(y, v.needsGradient() || f.needsGradient(), dy -> {
            touch(v, f);
            Parallel.forEach(base.rows(), r -> {
                float z = zeros.length == 0 ? 0f : zeros[r];
                float factor = factors ? 2 * rectified(f.value().data()[r]) : 1f;
                double df = 0;
                for (int i = r * n; i < (r + 1) * n; i++) {
                    float logit = v.value().data()[i];
                    float code = base.data()[i] + rectified(logit) + z;
                    if (code >= qmin && code <= qmax && v.needsGradient()) {
                        v.gradient().data()[i] += (float) (dy.data()[i] * (double) scales[r] * factor * rectifiedSlope(logit));
                    }
                    df += dy.data()[i] * (double) (Math.min(Math.max(code, qmin), qmax) - z) * scales[r];
                }
                if (factors && f.needsGradient()) {
                    f.gradient().data()[r] += (float) (df * 2 * rectifiedSlope(f.value().data()[r]));
                }
            });
        });
    }

    /** clamp(1.2 sigmoid(v) - 0.1, 0, 1). */
    public static float rectified(float v) {
        return Math.min(Math.max((float) (ActivationOps.sigmoid(v) * 1.2 - 0.1), 0f), 1f);
    }

    /** The inverse on (0, 1): -ln(1.2 / (y + 0.1) - 1). */
    public static float rectifiedInverse(float y) {
        return (float) -StrictMath.log(1.2 / (y + 0.1) - 1);
    }

    private static double rectifiedSlope(float v) {
        double s = ActivationOps.sigmoid(v);
        double h = s * 1.2 - 0.1;
        return h < 0 || h > 1 ? 0 : 1.2 * s * (1 - s);
    }
}
