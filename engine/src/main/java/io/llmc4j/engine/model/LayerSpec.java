package io.llmc4j.engine.model;

/**
 * One block of an architecture, as data.
 *
 * @param parallel           attention and feed-forward read the same residual and are added together (Falcon, Phi, GPT-NeoX, Cohere)
 * @param residualMultiplier factor on each branch before it is added (Granite, MiniCPM); 1 elsewhere
 */
public record LayerSpec(AttentionSpec attention, FeedForwardSpec feedForward, boolean parallel, float residualMultiplier) {
}
