package io.llmc4j.engine.model;

/** What a linear layer does in a block, whatever its family calls it. */
public enum Role {
    Q, K, V, O,
    /** Multi-head latent attention (DeepSeek). */
    Q_A, Q_B, KV_A, KV_B,
    /** Gated feed-forward: DOWN(act(GATE x) * UP x). A plain one has UP and DOWN: DOWN(act(UP x)). */
    GATE, UP, DOWN,
    /** Mixture of experts. */
    ROUTER, EXPERT_GATE, EXPERT_UP, EXPERT_DOWN, SHARED_GATE, SHARED_UP, SHARED_DOWN, SHARED_EXPERT_GATE;

    public boolean isExpert() {
        return this == EXPERT_GATE || this == EXPERT_UP || this == EXPERT_DOWN;
    }

    public boolean isRouter() {
        return this == ROUTER || this == SHARED_EXPERT_GATE;
    }
}
