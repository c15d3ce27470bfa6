package io.llmc4j.engine.model;

import io.llmc4j.engine.tensor.Matrix;
import java.util.function.Supplier;

/** What a forward pass tells whoever listens. Matrices are the pass's own: copy what must outlive the call. */
public interface ForwardHooks {

    ForwardHooks NONE = new ForwardHooks() { };

    /**
     * Before a pass over one chunk of calibration states.
     *
     * @param index of the chunk
     * @param batch the logical batch that it belongs to
     */
    default void beginChunk(int index, int batch) {
    }

    /** The matrix at a place inside the pass: computed, or known from an earlier pass. */
    default Matrix at(Waypoint place, Supplier<Matrix> compute) {
        return compute.get();
    }

    /** The input of a linear layer, before rotation and rounding: [batch * tokens, in] (experts: [routed tokens, in], batch 1). */
    default void linearInput(Linear layer, Matrix x, int batch, int tokens) {
    }

    /** The input of the feed-forward half as a whole (what the router sees), [batch * tokens, hidden]. */
    default void mlpInput(Block block, Matrix x, int batch, int tokens) {
    }

    /** The input of the attention half (after its norm), [batch * tokens, hidden]. */
    default void attentionInput(Block block, Matrix x, int batch, int tokens) {
    }

    /**
     * Whether every expert is to see every token, so that hooks get statistics for all of them; the output stays that of the chosen experts.
     */
    default boolean allTokensToAllExperts() {
        return false;
    }

    /** How many of a pass's tokens an expert was chosen for; each expert once a pass, in order. */
    default void expertTokens(Block block, int expert, int tokens) {
    }

    /** Whose tokens an expert is to see where it was chosen for none; the output stays that of the chosen experts. Itself: it sees none. */
    default int tokensOf(int expert) {
        return expert;
    }
}
