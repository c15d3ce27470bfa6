package io.llmc4j.engine.autodiff;

import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.tensor.Matrix;

/** Normalizations of rows. */
public final class NormOps {

    private NormOps() {
    }

    /** y = x * rsqrt(mean(x²) + eps) * weight; x [T, n], weight [1, n]. */
    public static Var rmsNorm(Tape tape, Var x, Var weight, float eps) {
        int t = x.rows();
        int n = x.cols();
        Matrix y = tape.buffer(t, n);
        float[] xv = x.value().data();
        float[] w = weight.value().data();
        Kernels k = Kernels.get();
        Parallel.forEach(t, r -> k.rmsNorm(n, xv, r * n, w, eps, y.data(), r * n));
        return tape.record(y, x.needsGradient() || weight.needsGradient(), dy -> {
            float[] d = dy.data();
            float[] inverse = tape.floats(t);
            float[] dx = x.needsGradient() ? x.gradient().data() : null;
            Parallel.forEach(t, r -> {
                int o = r * n;
                float inv = (float) (1 / Math.sqrt(k.dot(n, xv, o, xv, o) / n + eps));
                inverse[r] = inv;
                if (dx == null) {
                    return;
                }
                double projection = 0;
                for (int j = 0; j < n; j++) {
                    projection += (double) d[o + j] * w[j] * xv[o + j];
                }
                float common = (float) (projection * inv * inv * inv / n);
                for (int j = 0; j < n; j++) {
                    dx[o + j] += d[o + j] * w[j] * inv - xv[o + j] * common;
                }
            });
            if (weight.needsGradient()) {
                float[] dw = weight.gradient().data();
                for (int r = 0; r < t; r++) {
                    for (int j = 0; j < n; j++) {
                        dw[j] += d[r * n + j] * xv[r * n + j] * inverse[r];
                    }
                }
            }
        });
    }

    /** y = (x - mean) / sqrt(variance + eps) * weight + bias; weight [1, n], bias [1, n] or a constant of no columns. */
    public static Var layerNorm(Tape tape, Var x, Var weight, Var bias, float eps) {
        int t = x.rows();
        int n = x.cols();
        Matrix y = tape.buffer(t, n);
        float[] xv = x.value().data();
        float[] w = weight.value().data();
        Kernels k = Kernels.get();
        Parallel.forEach(t, r -> k.layerNorm(n, xv, r * n, w, bias.value().data(), eps, y.data(), r * n));
        boolean needs = x.needsGradient() || weight.needsGradient() || bias.needsGradient();
        return tape.record(y, needs, dy -> {
            float[] d = dy.data();
            float[] mean = tape.floats(t);
            float[] inverse = tape.floats(t);
            float[] dx = x.needsGradient() ? x.gradient().data() : null;
            Parallel.forEach(t, r -> {
                int o = r * n;
                double sum = 0;
                for (int j = 0; j < n; j++) {
                    sum += xv[o + j];
                }
                double mu = sum / n;
                double square = 0;
                for (int j = 0; j < n; j++) {
                    square += (xv[o + j] - mu) * (xv[o + j] - mu);
                }
                double inv = 1 / Math.sqrt(square / n + eps);
                mean[r] = (float) mu;
                inverse[r] = (float) inv;
                if (dx == null) {
                    return;
                }
                double sumG = 0;
                double sumGx = 0;
                for (int j = 0; j < n; j++) {
                    double g = (double) d[o + j] * w[j];
                    sumG += g;
                    sumGx += g * (xv[o + j] - mu) * inv;
                }
                for (int j = 0; j < n; j++) {
                    double g = (double) d[o + j] * w[j];
                    double normed = (xv[o + j] - mu) * inv;
                    dx[o + j] += (float) (inv * (g - sumG / n - normed * sumGx / n));
                }
            });
            for (int r = 0; r < t; r++) {
                for (int j = 0; j < n; j++) {
                    if (weight.needsGradient()) {
                        weight.gradient().data()[j] += d[r * n + j] * (xv[r * n + j] - mean[r]) * inverse[r];
                    }
                    if (bias.needsGradient()) {
                        bias.gradient().data()[j] += d[r * n + j];
                    }
                }
            }
        });
    }
}
