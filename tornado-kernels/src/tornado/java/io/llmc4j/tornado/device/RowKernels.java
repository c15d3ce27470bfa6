package io.llmc4j.tornado.device;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** What a forward pass does to rows: norm, softmax, attention, Hadamard transform. Reductions go over sixteen lanes joined by the fixed tree. */
public final class RowKernels {

    private RowKernels() {
    }

    /** out = x · rsqrt(mean(x²) + eps) · weight, a row an item. Sizes: ticket, rows, columns; {@code eps} holds one value. */
    public static void rmsNormRows(KernelContext context, IntArray sizes, FloatArray eps, FloatArray weight, FloatArray x, FloatArray out, IntArray done) {
        int row = context.globalIdx;
        int cols = sizes.get(2);
        if (row < sizes.get(1)) {
            float[] lanes = new float[16];
            for (int l = 0; l < 16; l++) {
                lanes[l] = 0f;
            }
            int from = row * cols;
            for (int i = 0; i < cols; i++) {
                float v = x.get(from + i);
                int l = i % 16;
                float lane = lanes[l];
                lanes[l] = v * v + lane;
            }
            for (int half = 8; half > 0; half = half / 2) {
                for (int l = 0; l < half; l++) {
                    float a = lanes[l];
                    float b = lanes[l + half];
                    lanes[l] = a + b;
                }
            }
            float mean = lanes[0] / (float) cols;
            float r = 1f / TornadoMath.sqrt(mean + eps.get(0));
            for (int i = 0; i < cols; i++) {
                out.set(from + i, x.get(from + i) * r * weight.get(i));
            }
        }
        if (row == 0) {
            done.set(0, sizes.get(0));
        }
    }

    /** In place, a row an item. Sizes: ticket, rows, columns. */
    public static void softmaxRows(KernelContext context, IntArray sizes, FloatArray x, IntArray done) {
        int row = context.globalIdx;
        int cols = sizes.get(2);
        if (row < sizes.get(1)) {
            int from = row * cols;
            float most = x.get(from);
            for (int i = 1; i < cols; i++) {
                float v = x.get(from + i);
                most = v > most || v != v ? v : most;
            }
            float[] lanes = new float[16];
            for (int l = 0; l < 16; l++) {
                lanes[l] = 0f;
            }
            for (int i = 0; i < cols; i++) {
                float e = Rounding.exponential(x.get(from + i) - most);
                x.set(from + i, e);
                int l = i % 16;
                float lane = lanes[l];
                lanes[l] = lane + e;
            }
            for (int half = 8; half > 0; half = half / 2) {
                for (int l = 0; l < half; l++) {
                    float a = lanes[l];
                    float b = lanes[l + half];
                    lanes[l] = a + b;
                }
            }
            float sum = lanes[0];
            for (int i = 0; i < cols; i++) {
                x.set(from + i, x.get(from + i) / sum);
            }
        }
        if (row == 0) {
            done.set(0, sizes.get(0));
        }
    }

    /**
     * Causal softmax attention of one sequence: a query of a head an item. As the engine has it, a block of 64 queries sees the keys up to its last query,
     * those behind the query's own position with weight 0.
     *
     * @param sizes  ticket, heads, heads a key and value head serves, tokens, head width (at most 384)
     * @param q      [tokens, heads * width], rotated; {@code k} and {@code v} [tokens, key heads * width]
     * @param scale  one value
     * @param scores scratch, [heads][tokens][tokens]
     * @param out    [tokens, heads * width]
     */
    public static void attendCausally(KernelContext context, IntArray sizes, FloatArray scale, FloatArray q, FloatArray k, FloatArray v, FloatArray scores, FloatArray out,
                                      IntArray done) {
        int t = context.globalIdx;
        int head = context.globalIdy;
        int heads = sizes.get(1);
        int tokens = sizes.get(3);
        int width = sizes.get(4);
        if (t < tokens && head < heads) {
            int shared = sizes.get(2);
            int keyHeads = heads / shared;
            int keyHead = head / shared;
            int blockEnd = (t / 64 + 1) * 64;
            int n = blockEnd < tokens ? blockEnd : tokens;
            int s = (head * tokens + t) * tokens;
            int qAt = (t * heads + head) * width;
            float most = 0f;
            for (int j = 0; j <= t; j++) {
                int kAt = (j * keyHeads + keyHead) * width;
                float sum = 0f;
                for (int p = 0; p < width; p++) {
                    sum = q.get(qAt + p) * k.get(kAt + p) + sum;
                }
                float score = sum * scale.get(0);
                scores.set(s + j, score);
                most = j == 0 || score > most || score != score ? score : most;
            }
            float[] lanes = new float[16];
            for (int l = 0; l < 16; l++) {
                lanes[l] = 0f;
            }
            for (int j = 0; j < n; j++) {
                // Behind the query: e^-infinity, which is the polynomial's least value, 0.
                float e = j <= t ? Rounding.exponential(scores.get(s + j) - most) : 0f;
                scores.set(s + j, e);
                int l = j % 16;
                float lane = lanes[l];
                lanes[l] = lane + e;
            }
            for (int half = 8; half > 0; half = half / 2) {
                for (int l = 0; l < half; l++) {
                    float a = lanes[l];
                    float b = lanes[l + half];
                    lanes[l] = a + b;
                }
            }
            float all = lanes[0];
            for (int j = 0; j < n; j++) {
                scores.set(s + j, scores.get(s + j) / all);
            }
            for (int p = 0; p < width; p++) {
                float total = 0f;
                for (int from = 0; from < n; from += 384) {
                    int to = from + 384 < n ? from + 384 : n;
                    float sum = 0f;
                    for (int j = from; j < to; j++) {
                        sum = scores.get(s + j) * v.get((j * keyHeads + keyHead) * width + p) + sum;
                    }
                    total = from > 0 ? total + sum : sum;
                }
                out.set((t * heads + head) * width + p, total);
            }
        }
        if (t == 0 && head == 0) {
            done.set(0, sizes.get(0));
        }
    }

    /** One stage of the Walsh-Hadamard transform of rows: a pair at distance h an item. Sizes: ticket, pairs in all, h. */
    public static void hadamardStage(KernelContext context, IntArray sizes, FloatArray x, IntArray done) {
        int pair = context.globalIdx;
        if (pair < sizes.get(1)) {
            int h = sizes.get(2);
            int at = pair / h * 2 * h + pair % h;
            float a = x.get(at);
            float b = x.get(at + h);
            x.set(at, a + b);
            x.set(at + h, a - b);
        }
        if (pair == 0) {
            done.set(0, sizes.get(0));
        }
    }

    /** All stages of rows of up to 2048 values, a row a group of 128 items, in local memory. Sizes: ticket, rows, columns. */
    public static void hadamardRows(KernelContext context, IntArray sizes, FloatArray x, IntArray done) {
        float[] row = context.allocateFloatLocalArray(2048);
        int item = context.localIdx;
        int group = context.groupIdx;
        int cols = sizes.get(2);
        int from = group * cols;
        for (int i = item; i < cols; i += 128) {
            row[i] = x.get(from + i);
        }
        context.localBarrier();
        for (int h = 1; h < cols; h = h * 2) {
            for (int pair = item; pair < cols / 2; pair += 128) {
                int at = pair / h * 2 * h + pair % h;
                float a = row[at];
                float b = row[at + h];
                row[at] = a + b;
                row[at + h] = a - b;
            }
            context.localBarrier();
        }
        for (int i = item; i < cols; i += 128) {
            x.set(from + i, row[i]);
        }
        if (item == 0 && group == 0) {
            done.set(0, sizes.get(0));
        }
    }
}
