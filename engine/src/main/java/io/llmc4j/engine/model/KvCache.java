package io.llmc4j.engine.model;

import io.llmc4j.engine.tensor.Matrix;

/**
 * What attention keeps between the tokens of a sequence. Every pass hands its new keys (after rotation) and values through the cache and
 * attends to what comes back, so a cache may store them rounded.
 */
public interface KvCache {

    /** Remembers nothing: a pass sees its own tokens. */
    KvCache NONE = new KvCache() {
        @Override
        public int length(int block) {
            return 0;
        }

        @Override
        public KeysValues append(int block, AttentionSpec spec, KeysValues fresh, int batch) {
            return fresh;
        }
    };

    /** Tokens that this block has seen before the pass at hand: the position of its first token. */
    int length(int block);

    /** Takes the new states of a block and returns all that the pass is to attend to, the new ones last. */
    KeysValues append(int block, AttentionSpec spec, KeysValues fresh, int batch);

    /**
     * Keys and values of {@code batch} sequences; row {@code b * tokens + t}.
     *
     * @param keys   [batch * tokens, kvHeads * headDim]
     * @param values [batch * tokens, kvHeads * valueDim]
     */
    record KeysValues(Matrix keys, Matrix values, int tokens) {

        /** These tokens and then those of {@code next}, sequence by sequence. */
        public KeysValues then(KeysValues next, int batch) {
            return new KeysValues(join(keys, tokens, next.keys, next.tokens, batch), join(values, tokens, next.values, next.tokens, batch),
                    tokens + next.tokens);
        }

        private static Matrix join(Matrix a, int aTokens, Matrix b, int bTokens, int batch) {
            int cols = b.cols();
            Matrix out = new Matrix(a.rows() + b.rows(), cols);
            for (int s = 0; s < batch; s++) {
                int at = s * (aTokens + bTokens) * cols;
                System.arraycopy(a.data(), s * aTokens * cols, out.data(), at, aTokens * cols);
                System.arraycopy(b.data(), s * bTokens * cols, out.data(), at + aTokens * cols, bTokens * cols);
            }
            return out;
        }
    }
}
