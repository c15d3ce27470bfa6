package io.llmc4j.engine.autodiff;

import io.llmc4j.engine.kernel.FloatMath;
import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.tensor.Matrix;

/** Rotary embedding and causal attention. Probabilities are computed again in the backward pass instead of being kept. */
public final class AttentionOps {

    private AttentionOps() {
    }

    /**
     * Rotates the first {@code 2 * half} features of each head: (a, b) becomes (a cos - b sin, b cos + a sin).
     *
     * @param x      [batch * tokens, heads * headDim]
     * @param cos    [tokens * half] by position, attention factor included; likewise {@code sin}
     * @param interleaved pairs are (2i, 2i + 1) instead of (i, i + half)
     */
    public static Var rotary(Tape tape, Var x, int tokens, int headDim, int half, boolean interleaved, float[] cos, float[] sin) {
        Matrix y = tape.buffer(x.rows(), x.cols());
        rotate(x.value(), y, tokens, headDim, half, interleaved, cos, sin, 1f, false);
        return tape.record(y, x.needsGradient(), dy -> rotate(dy, x.gradient(), tokens, headDim, half, interleaved, cos, sin, -1f, true));
    }

    private static void rotate(Matrix from, Matrix to, int tokens, int headDim, int half, boolean interleaved, float[] cos, float[] sin, float sign,
                               boolean accumulate) {
        int n = from.cols();
        float[] f = from.data();
        float[] g = to.data();
        Parallel.forEach(from.rows(), r -> {
            int p = (r % tokens) * half;
            for (int h = 0; h < n; h += headDim) {
                int o = r * n + h;
                for (int i = 0; i < half; i++) {
                    int ia = interleaved ? o + 2 * i : o + i;
                    int ib = interleaved ? ia + 1 : ia + half;
                    float c = cos[p + i];
                    float s = sin[p + i] * sign;
                    float a = f[ia] * c - f[ib] * s;
                    float b = f[ib] * c + f[ia] * s;
                    g[ia] = accumulate ? g[ia] + a : a;
                    g[ib] = accumulate ? g[ib] + b : b;
                }
                for (int i = 2 * half; i < headDim; i++) {
                    g[o + i] = accumulate ? g[o + i] + f[o + i] : f[o + i];
                }
            }
        });
    }

    /**
     * What an attention core needs to know.
     *
     * @param window   0: all earlier tokens
     * @param softCap  0: none
     * @param slopes   ALiBi slope by query head, or length 0
     * @param sinks    one extra logit by query head, or length 0 (a constant)
     */
    public record Core(int batch, int tokens, int heads, int kvHeads, int headDim, int valueDim, float scale, int window, float softCap, float[] slopes,
                       float[] sinks) { }

    /** softmax(scale q kᵀ + bias, causal) v by head; q [T, heads * headDim], k [T, kvHeads * headDim], v [T, kvHeads * valueDim]. */
    public static Var attention(Tape tape, Var q, Var k, Var v, Core core) {
        Matrix out = tape.buffer(q.rows(), core.heads * core.valueDim);
        int work = core.batch * core.heads;
        int group = core.heads / core.kvHeads;
        Kernels kernels = Kernels.get();
        Parallel.forEach(work, w -> {
            int b = w / core.heads;
            int h = w % core.heads;
            float[] p = probabilities(kernels, core, q.value(), k.value(), b, h, null);
            int t = core.tokens;
            kernels.gemmNN(t, core.valueDim, t, p, 0, t, v.value().data(), b * t * v.cols() + h / group * core.valueDim, v.cols(),
                    out.data(), b * t * out.cols() + h * core.valueDim, out.cols(), false);
        });
        boolean needs = q.needsGradient() || k.needsGradient() || v.needsGradient();
        return tape.record(out, needs, dOut -> {
            Matrix dq = q.needsGradient() ? q.gradient() : null;
            Matrix dk = k.needsGradient() ? k.gradient() : null;
            Matrix dv = v.needsGradient() ? v.gradient() : null;
            // Split by key head, so that one thread owns what several query heads add to.
            Parallel.forEach(core.batch * core.kvHeads, w -> {
                int b = w / core.kvHeads;
                for (int h = (w % core.kvHeads) * group; h < (w % core.kvHeads + 1) * group; h++) {
                    backwardHead(kernels, core, q.value(), k.value(), v.value(), dOut, dq, dk, dv, b, h);
                }
            });
        });
    }

    /** Row i of the result: probabilities of token i over tokens 0..i; {@code capped} receives tanh of the capped logits when not null. */
    private static float[] probabilities(Kernels kernels, Core core, Matrix q, Matrix k, int b, int h, float[] capped) {
        int t = core.tokens;
        int kvHead = h / (core.heads / core.kvHeads);
        float[] s = new float[t * t];
        kernels.gemmNT(t, t, core.headDim, q.data(), b * t * q.cols() + h * core.headDim, q.cols(), k.data(), b * t * k.cols() + kvHead * core.headDim, k.cols(),
                s, 0, t, false);
        float[] row = new float[t + 1];
        for (int i = 0; i < t; i++) {
            int first = core.window > 0 ? Math.max(0, i - core.window + 1) : 0;
            int n = i + 1 - first;
            for (int j = first; j <= i; j++) {
                float logit = s[i * t + j] * core.scale;
                if (core.softCap > 0) {
                    float th = FloatMath.tanh(logit / core.softCap);
                    if (capped != null) {
                        capped[i * t + j] = th;
                    }
                    logit = core.softCap * th;
                }
                if (core.slopes.length > 0) {
                    logit += core.slopes[h] * j;
                }
                row[j - first] = logit;
            }
            int length = n;
            if (core.sinks.length > 0) {
                row[n] = core.sinks[h];
                length++;
            }
            kernels.softmax(length, row, 0);
            java.util.Arrays.fill(s, i * t, (i + 1) * t, 0f);
            System.arraycopy(row, 0, s, i * t + first, n);
        }
        return s;
    }

    private static void backwardHead(Kernels kernels, Core core, Matrix q, Matrix k, Matrix v, Matrix dOut, Matrix dq, Matrix dk, Matrix dv, int b, int h) {
        int t = core.tokens;
        int kvHead = h / (core.heads / core.kvHeads);
        float[] capped = core.softCap > 0 ? new float[t * t] : null;
        float[] p = probabilities(kernels, core, q, k, b, h, capped);
        int outAt = b * t * dOut.cols() + h * core.valueDim;
        int vAt = b * t * v.cols() + kvHead * core.valueDim;
        int qAt = b * t * q.cols() + h * core.headDim;
        int kAt = b * t * k.cols() + kvHead * core.headDim;
        if (dv != null) {
            kernels.gemmTN(t, core.valueDim, t, p, 0, t, dOut.data(), outAt, dOut.cols(), dv.data(), vAt, v.cols(), true);
        }
        if (dq == null && dk == null) {
            return;
        }
        float[] ds = new float[t * t];
        kernels.gemmNT(t, t, core.valueDim, dOut.data(), outAt, dOut.cols(), v.data(), vAt, v.cols(), ds, 0, t, false);
        for (int i = 0; i < t; i++) {
            double along = 0;
            for (int j = 0; j <= i; j++) {
                along += (double) p[i * t + j] * ds[i * t + j];
            }
            for (int j = 0; j < t; j++) {
                float g = j > i ? 0f : p[i * t + j] * (ds[i * t + j] - (float) along);
                if (capped != null) {
                    g *= 1 - capped[i * t + j] * capped[i * t + j];
                }
                ds[i * t + j] = g * core.scale;
            }
        }
        if (dq != null) {
            kernels.gemmNN(t, core.headDim, t, ds, 0, t, k.data(), kAt, k.cols(), dq.data(), qAt, q.cols(), true);
        }
        if (dk != null) {
            kernels.gemmTN(t, core.headDim, t, ds, 0, t, q.data(), qAt, q.cols(), dk.data(), kAt, k.cols(), true);
        }
    }
}
