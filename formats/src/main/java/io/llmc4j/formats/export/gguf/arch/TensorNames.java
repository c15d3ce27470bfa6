package io.llmc4j.formats.export.gguf.arch;

import io.llmc4j.engine.model.NormSlot;
import io.llmc4j.engine.model.Role;
import java.util.Optional;

/** Names of tensors, without ".weight" and ".bias". */
public final class TensorNames {

    public static final String EMBEDDING = "token_embd";
    public static final String EMBEDDING_NORM = "token_embd_norm";
    public static final String POSITIONS = "position_embd";
    public static final String OUTPUT_NORM = "output_norm";
    public static final String OUTPUT = "output";
    public static final String ROPE_FREQUENCIES = "rope_freqs";
    public static final String ROPE_LONG = "rope_factors_long";
    public static final String ROPE_SHORT = "rope_factors_short";
    public static final String SINKS = "attn_sinks";
    public static final String CORRECTION = "exp_probs_b";
    public static final String QKV = "attn_qkv";
    public static final String K_B = "attn_k_b";
    public static final String V_B = "attn_v_b";

    private TensorNames() {
    }

    /** "blk.3.attn_q" */
    public static String inBlock(int block, String name) {
        return "blk." + block + "." + name;
    }

    /** The name of a linear layer inside its block; experts have one for all of them. */
    static String of(Role role) {
        return switch (role) {
            case Q -> "attn_q";
            case K -> "attn_k";
            case V -> "attn_v";
            case O -> "attn_output";
            case Q_A -> "attn_q_a";
            case Q_B -> "attn_q_b";
            case KV_A -> "attn_kv_a_mqa";
            case KV_B -> "attn_kv_b";
            case GATE -> "ffn_gate";
            case UP -> "ffn_up";
            case DOWN -> "ffn_down";
            case ROUTER -> "ffn_gate_inp";
            case EXPERT_GATE -> "ffn_gate_exps";
            case EXPERT_UP -> "ffn_up_exps";
            case EXPERT_DOWN -> "ffn_down_exps";
            case SHARED_GATE -> "ffn_gate_shexp";
            case SHARED_UP -> "ffn_up_shexp";
            case SHARED_DOWN -> "ffn_down_shexp";
            case SHARED_EXPERT_GATE -> "ffn_gate_inp_shexp";
        };
    }

    /** The name of a norm inside its block; empty where llama.cpp has no place for it. {@code two}: a parallel block with a norm for each half. */
    static Optional<String> of(NormSlot slot, GgufArch arch, boolean two) {
        return Optional.ofNullable(switch (slot) {
            case ATTENTION_INPUT -> arch == GgufArch.FALCON && two ? "attn_norm_2" : "attn_norm";
            case MLP_INPUT -> arch == GgufArch.FALCON ? "attn_norm" : arch == GgufArch.GPT_OSS ? "post_attention_norm" : "ffn_norm";
            case ATTENTION_OUTPUT -> "post_attention_norm";
            case MLP_OUTPUT -> "post_ffw_norm";
            case Q -> "attn_q_norm";
            case K -> "attn_k_norm";
            case Q_LATENT -> "attn_q_a_norm";
            case KV_LATENT -> "attn_kv_a_norm";
            case AFTER_ATTENTION, AFTER_MLP -> null;
        });
    }
}
