package io.llmc4j.engine.model;

import io.llmc4j.engine.kernel.FloatMath;
import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.tensor.Matrix;
import java.util.Optional;

/**
 * Causal softmax attention over whole heads: one task a sequence and head, query rows in blocks, each block against the keys that it can see.
 * No keys are copied: products read the heads where they lie.
 */
public final class Attention {

    /** Query rows of one product: scores of a block stay in the cache while they are masked and normalized. */
    private static final int QUERY_BLOCK = 64;

    private final AttentionSpec spec;
    private final float[] slopes;
    private final float[] sinks;
    private final Optional<InnerRounding> operands;
    private final Optional<InnerRounding> scored;

    /** @param sinks [heads], or length 0 */
    public Attention(AttentionSpec spec, float[] sinks) {
        this(spec, sinks, Optional.empty());
    }

    /** @param inner what is rounded on the way */
    Attention(AttentionSpec spec, float[] sinks, Optional<InnerRounding> inner) {
        this.operands = inner.filter(InnerRounding::attention);
        this.scored = inner.filter(InnerRounding::softmax);
        this.spec = spec;
        this.slopes = spec.position() instanceof AttentionSpec.Alibi alibi ? slopes(spec.heads(), alibi.slopeFactor()) : new float[0];
        this.sinks = sinks;
    }

    /**
     * @param q  [batch * tokens, heads * headDim], rotated
     * @param kv what the queries may see; its last {@code tokens} are the queries' own positions
     * @return [batch * tokens, heads * valueDim]
     */
    public Matrix forward(Matrix q, KvCache.KeysValues kv, int batch, int tokens) {
        Matrix out = new Matrix(batch * tokens, spec.heads() * spec.valueDim());
        Matrix queries = operands.map(o -> o.byHead(q, spec.heads())).orElse(q);
        KvCache.KeysValues seen = operands.map(o -> new KvCache.KeysValues(o.byHead(kv.keys(), spec.kvHeads()), o.byHead(kv.values(), spec.kvHeads()), kv.tokens()))
                .orElse(kv);
        Parallel.forEach(batch * spec.heads(), task -> head(queries, seen, task / spec.heads(), task % spec.heads(), tokens, out));
        return out;
    }

    private void head(Matrix q, KvCache.KeysValues kv, int sequence, int head, int tokens, Matrix out) {
        Kernels kernels = Kernels.get();
        int kvHead = head / (spec.heads() / spec.kvHeads());
        int first = kv.tokens() - tokens;
        float[] scores = new float[0];
        for (int t0 = 0; t0 < tokens; t0 += QUERY_BLOCK) {
            int rows = Math.min(QUERY_BLOCK, tokens - t0);
            int from = firstVisible(first + t0);
            int n = first + t0 + rows - from;
            int ld = n + (sinks.length > 0 ? 1 : 0);
            if (scores.length < rows * ld) {
                scores = new float[rows * ld];
            }
            int keyRow = sequence * kv.tokens() + from;
            kernels.gemmNT(rows, n, spec.headDim(), q.data(), (sequence * tokens + t0) * q.cols() + head * spec.headDim(), q.cols(),
                    kv.keys().data(), keyRow * kv.keys().cols() + kvHead * spec.headDim(), kv.keys().cols(), scores, 0, ld, false);
            for (int r = 0; r < rows; r++) {
                int position = first + t0 + r;
                int low = r * ld + firstVisible(position) - from;
                int high = r * ld + position + 1 - from;
                weigh(scores, r * ld, n, from, low - r * ld, high - r * ld, head);
                if (scored.isPresent()) {
                    scored.get().row(scores, low, high);
                }
                kernels.softmax(ld, scores, r * ld);
                if (operands.isPresent()) {
                    operands.get().row(scores, low, high);
                }
            }
            kernels.gemmNN(rows, spec.valueDim(), n, scores, 0, ld,
                    kv.values().data(), keyRow * kv.values().cols() + kvHead * spec.valueDim(), kv.values().cols(),
                    out.data(), (sequence * tokens + t0) * out.cols() + head * spec.valueDim(), out.cols(), false);
        }
    }

    private int firstVisible(int position) {
        return spec.slidingWindow() == 0 ? 0 : Math.max(0, position + 1 - spec.slidingWindow());
    }

    /** Scale, bias, cap and mask one row of scores; key 0 of the row is at position {@code keyPosition}; keys low to high - 1 are visible. */
    private void weigh(float[] s, int at, int n, int keyPosition, int low, int high, int head) {
        float scale = spec.scale();
        for (int j = 0; j < low; j++) {
            s[at + j] = Float.NEGATIVE_INFINITY;
        }
        if (spec.position() instanceof AttentionSpec.Alibi) {
            float slope = slopes[head];
            for (int j = low; j < high; j++) {
                float bias = slope * (keyPosition + j);
                s[at + j] = s[at + j] * scale + bias;
            }
        } else {
            for (int j = low; j < high; j++) {
                s[at + j] *= scale;
            }
        }
        if (spec.softCap() != 0) {
            for (int j = low; j < high; j++) {
                s[at + j] = spec.softCap() * FloatMath.tanh(s[at + j] / spec.softCap());
            }
        }
        for (int j = high; j < n; j++) {
            s[at + j] = Float.NEGATIVE_INFINITY;
        }
        if (sinks.length > 0) {
            s[at + n] = sinks[head];
        }
    }

    /**
     * ALiBi slopes (arXiv 2108.12409): 2^(-8k/n) for k = 1…n when n is a power of two; else those of the largest power of two below, then every
     * other slope of twice as many heads. All times {@code factor}.
     */
    static float[] slopes(int heads, float factor) {
        int power = Integer.highestOneBit(heads);
        float[] out = new float[heads];
        for (int k = 0; k < heads; k++) {
            double exponent = k < power ? -8.0 * (k + 1) / power : -4.0 * (2 * (k - power) + 1) / power;
            out[k] = (float) StrictMath.pow(2, exponent) * factor;
        }
        return out;
    }
}
