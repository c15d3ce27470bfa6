package io.llmc4j.engine.model;

/** Where a norm stands in a block; a slot without a norm is the identity. */
public enum NormSlot {
    /** Before attention (in a parallel block also before the feed-forward, unless that has its own). */
    ATTENTION_INPUT,
    /** On the attention branch's output, before the residual addition (Gemma 2, OLMo 2, GLM-4). */
    ATTENTION_OUTPUT,
    /** Before the feed-forward. */
    MLP_INPUT,
    /** On the feed-forward branch's output, before the residual addition. */
    MLP_OUTPUT,
    /** After the residual addition of attention, on the stream itself (OPT with post-norm). */
    AFTER_ATTENTION,
    /** After the residual addition of the feed-forward, on the stream itself. */
    AFTER_MLP,
    /** On queries and keys. */
    Q, K,
    /** On the latents of multi-head latent attention. */
    Q_LATENT, KV_LATENT
}
