package io.llmc4j.engine.model;

import io.llmc4j.engine.kernel.Activation;
import java.util.Optional;

/**
 * The feed-forward half of one block, as data.
 *
 * @param gated      DOWN(act(GATE x) * UP x) instead of DOWN(act(UP x))
 * @param clamp      GPT-OSS: gate at most clamp, up within ±clamp, (up + 1) * gate * sigmoid(1.702 gate); 0: not
 * @param experts    mixture of experts, or empty for a dense layer
 */
public record FeedForwardSpec(int intermediate, Activation activation, boolean gated, float clamp, Optional<Experts> experts) {

    /**
     * @param intermediate   width of one expert
     * @param sharedIntermediate width of the shared expert(s); 0: none
     * @param sharedGate     the shared expert's output is scaled by sigmoid(SHARED_EXPERT_GATE x)
     * @param scoring        softmax over all experts, sigmoid, or softmax over the chosen ones' logits (GPT-OSS)
     * @param normalize      chosen weights are divided by their sum
     * @param groups         DeepSeek: experts are first chosen by group; 1: not
     * @param topGroups      groups kept
     * @param groupScoring   how a group is scored
     * @param scaling        factor on the chosen weights
     * @param correction     the choice (not the weight) adds "router_correction" from the block's vectors
     */
    public record Experts(int count, int perToken, int intermediate, int sharedIntermediate, boolean sharedGate, Scoring scoring, boolean normalize,
                          int groups, int topGroups, GroupScoring groupScoring, float scaling, boolean correction) {

        public enum Scoring { SOFTMAX, SIGMOID, SOFTMAX_OF_CHOSEN }

        public enum GroupScoring { MAX, SUM_OF_TOP_TWO }
    }
}
