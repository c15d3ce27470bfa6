package io.llmc4j.engine.model;

import java.util.Optional;

/**
 * The attention of one block, as data.
 *
 * @param heads         query heads
 * @param kvHeads       key and value heads (grouped queries when fewer)
 * @param headDim       features of a query or key head (latent attention: nope + rope)
 * @param valueDim      features of a value head
 * @param scale         factor on q · k
 * @param position      rotary, ALiBi or none (learned positions are added to the embedding)
 * @param slidingWindow a token sees itself and the {@code slidingWindow - 1} tokens before it; 0: all
 * @param softCap       logits become cap * tanh(logits / cap); 0: not
 * @param qkNorm        norms on queries and keys
 * @param sinks         one extra logit a head joins the softmax ("sinks" in the block's vectors)
 * @param latent        multi-head latent attention, or empty
 * @param logitScaling  log-n scaling beyond this training length (Qwen v1); 0: not
 */
public record AttentionSpec(int heads, int kvHeads, int headDim, int valueDim, float scale, Position position, int slidingWindow, float softCap,
                            QkNorm qkNorm, boolean sinks, Optional<Latent> latent, int logitScaling) {

    public enum QkNorm {
        NONE,
        /** One weight of headDim for all heads, after the split into heads. */
        SHARED_BY_HEADS,
        /** A weight for each head (StableLM): the norm's weight is [heads * headDim], applied head by head. */
        EACH_HEAD,
        /** Over the whole width before the split (OLMo 2). */
        FULL_WIDTH
    }

    /** Dimensions of multi-head latent attention (DeepSeek V2, V3). {@code qRank} 0: queries have no latent. */
    public record Latent(int qRank, int kvRank, int nopeDim, int ropeDim) { }

    /** How positions enter. */
    public sealed interface Position { }

    public record NoPosition() implements Position { }

    /** Linear biases. {@code slopeFactor}: on every slope; Falcon-RW divides the bias by sqrt(headDim) together with the scores, BLOOM has 1. */
    public record Alibi(float slopeFactor) implements Position { }

    /**
     * Rotary embedding of the first {@code dims} features of a head.
     *
     * @param interleaved pairs are (2i, 2i+1) instead of (i, i + dims/2)
     */
    public record Rotary(int dims, boolean interleaved, RopeScaling scaling) implements Position { }
}
