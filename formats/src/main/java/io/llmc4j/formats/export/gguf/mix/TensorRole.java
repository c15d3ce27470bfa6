package io.llmc4j.formats.export.gguf.mix;

/** Kinds of tensors that mixes tell apart, by name. */
enum TensorRole {
    EMBEDDING, OUTPUT, Q, K, V, QKV, KV_B, ATTENTION_OUTPUT, UP, GATE, DOWN, OTHER;

    static TensorRole of(String name) {
        if (name.equals("output.weight")) {
            return OUTPUT;
        }
        if (name.equals("token_embd.weight")) {
            return EMBEDDING;
        }
        return name.contains("attn_qkv.weight") ? QKV : name.contains("attn_kv_b.weight") ? KV_B : name.contains("attn_v.weight") ? V
                : name.contains("attn_k.weight") ? K : name.contains("attn_q.weight") ? Q : name.contains("attn_output.weight") ? ATTENTION_OUTPUT
                : name.contains("ffn_up") ? UP : name.contains("ffn_gate") ? GATE : name.contains("ffn_down") ? DOWN : OTHER;
    }

    /** Values are more sensitive, whatever tensor holds them. */
    boolean holdsValues() {
        return this == V || this == QKV || this == KV_B;
    }
}
