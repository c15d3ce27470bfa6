package io.llmc4j.formats.hf.family;

import io.llmc4j.engine.model.AttentionSpec;
import io.llmc4j.engine.model.AttentionSpec.Position;
import io.llmc4j.engine.model.AttentionSpec.QkNorm;
import io.llmc4j.formats.hf.HfConfig;
import java.util.Optional;

/** Sizes that nearly every family names alike. */
record Dims(int hidden, int layers, int heads, int kvHeads, int headDim, int vocabulary, int context) {

    static Dims of(HfConfig c) {
        int hidden = c.integer("hidden_size");
        int heads = c.integer("num_attention_heads");
        int headDim = c.integerOr(0, "head_dim");
        if (headDim == 0) {
            headDim = perHead(c, hidden, heads);
        }
        return new Dims(hidden, c.integer("num_hidden_layers"), heads, c.integerOr(heads, "num_key_value_heads"), headDim, c.integer("vocab_size"),
                c.integerOr(2048, "max_position_embeddings")).check(c);
    }

    /** GPT-2's names. */
    static Dims ofGpt(HfConfig c) {
        int hidden = c.integer("n_embd", "hidden_size");
        int heads = c.integer("n_head", "num_attention_heads");
        return new Dims(hidden, c.integer("n_layer", "num_hidden_layers"), heads, heads, perHead(c, hidden, heads), c.integer("vocab_size"),
                c.integerOr(2048, "n_positions", "max_position_embeddings")).check(c);
    }

    Dims withKvHeads(int n) {
        return new Dims(hidden, layers, heads, n, headDim, vocabulary, context);
    }

    Dims check(HfConfig c) {
        if (hidden < 1 || layers < 1 || heads < 1 || kvHeads < 1 || headDim < 1 || vocabulary < 1 || context < 1) {
            throw c.wrong("hidden_size, num_hidden_layers, num_attention_heads, num_key_value_heads, head_dim, vocab_size, max_position_embeddings",
                    this.toString(), "sizes of at least 1");
        }
        if (heads % kvHeads != 0) {
            throw c.wrong("num_key_value_heads", Integer.toString(kvHeads), "divisors of the " + heads + " query heads");
        }
        return this;
    }

    private static int perHead(HfConfig c, int hidden, int heads) {
        if (heads < 1 || hidden % heads != 0) {
            throw c.wrong("num_attention_heads", Integer.toString(heads), "divisors of hidden_size " + hidden + " where head_dim is not given");
        }
        return hidden / heads;
    }

    int queries() {
        return heads * headDim;
    }

    int keys() {
        return kvHeads * headDim;
    }

    /** Scores scaled by headDim^(-1/2). */
    AttentionSpec attention(Position position, int window, QkNorm qkNorm) {
        return attention(position, window, qkNorm, rootScale(headDim), 0f, false);
    }

    AttentionSpec attention(Position position, int window, QkNorm qkNorm, float scale, float softCap, boolean sinks) {
        return new AttentionSpec(heads, kvHeads, headDim, headDim, scale, position, window, softCap, qkNorm, sinks, Optional.empty(), 0);
    }

    static float rootScale(double n) {
        return (float) (1 / Math.sqrt(n));
    }
}
