package io.llmc4j.engine.method;

import io.llmc4j.engine.pipeline.RunConfig;

/**
 * One step of a recipe. A block passes through the stages of all methods of a run in order; each sees the block as the one before left it.
 *
 * <p>What a stage reads through {@link BlockWork} is gathered by a forward pass of the block as it is when the stage starts.
 * {@link #needs()} only lets the fold gather it in the pass that it makes anyway: for the first stage that pass also yields the outputs of
 * the float block.
 */
public sealed interface Stage permits Transform, Clip, Round, Keep {

    /** For events and errors, "AWQ scales". */
    String name();

    /** What the first look at a block should gather. */
    default Needs needs() {
        return Needs.NOTHING;
    }

    /**
     * Whether the stage runs the block again on its inputs ({@link BlockWork#recapture}, training). LLMC feeds such a stage wrong inputs when
     * {@code quant_out} is false (ODD-20), so that is refused outside {@code compat: llmc}.
     */
    default boolean runsBlockAgain() {
        return false;
    }

    /** Says what does not fit this run, all at once (BadInput). Called before the first block is read. */
    default void check(RunConfig config) {
    }

    /** Once, before the first block: statistics over the whole model, rotations of embeddings and head, blocks to drop. */
    default void prepare(ModelWork model) {
    }

    /** Once a block, in order. */
    void apply(BlockWork work);
}
