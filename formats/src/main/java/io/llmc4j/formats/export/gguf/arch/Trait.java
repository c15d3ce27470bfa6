package io.llmc4j.formats.export.gguf.arch;

/** What an architecture of llama.cpp does of its own, without a metadata key. */
enum Trait {
    /** The feed-forward half has a gate. */
    GATED,
    /** Attention and feed-forward read the same residual. */
    PARALLEL,
    /** As the key use_parallel_residual says. */
    PARALLEL_BY_KEY,
    /** Parallel where there is no second norm. */
    PARALLEL_WITHOUT_NORM,
    /** One tensor attn_qkv: queries, keys, values. */
    FUSED_QKV,
    /** The key feed_forward_length is twice the width. */
    DOUBLE_WIDTH,
    /** One tensor ffn_up: gate, then up. */
    FUSED_GATE_UP,
    /** A table of learned positions. */
    POSITIONS,
    /** Linear biases. */
    ALIBI,
    /** The embedding is multiplied by the root of its width. */
    ROOT_WIDTH,
    /** No output tensor: the head is the embedding. */
    TIED,
    /** An output tensor always: a tied head is written twice. */
    NEEDS_OUTPUT,
    /** The key logit_scale multiplies. */
    LOGIT_FACTOR,
    /** The key logit_scale divides. */
    LOGIT_DIVISOR,
    /** The keys embedding_scale and residual_scale. */
    SCALES,
    /** The key attention.scale. */
    ATTENTION_SCALE,
    /** Windows on the layers that a pattern names. */
    WINDOWS,
    /** Soft caps on attention and output logits. */
    SOFT_CAPS,
    /** Windowed layers have a rotary base of their own, without scaling. */
    WINDOW_BASE,
    /** Windowed layers have rotary positions, the others none. */
    ROTARY_IN_WINDOWS_ONLY,
    /** Every fourth layer has no positions. */
    FOURTH_WITHOUT_POSITIONS,
    /** Latent attention. */
    LATENT,
    /** Chosen experts' weights are divided by their sum. */
    NORMALIZED_EXPERTS,
    /** The GPT-OSS feed-forward: clamped gate and up, softmax over the chosen. */
    GPT_OSS,
    /** Norms after the branches instead of before. */
    NO_INPUT_NORMS
}
