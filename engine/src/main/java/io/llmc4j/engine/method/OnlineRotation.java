package io.llmc4j.engine.method;

import io.llmc4j.engine.method.rotation.RotationRules;
import io.llmc4j.engine.method.rotation.StreamRotation;

/**
 * {@code online_rotate} without QuaRot in the run: the model was rotated and saved by an earlier one, and its inputs of output and down projections are
 * Hadamard-rotated while it runs (arXiv 2404.00456, as LLMC's QuaRot and then GPTQ by two configurations).
 */
public record OnlineRotation() implements Transform {

    /** The setting. */
    public static final String KEY = "online_rotate";

    @Override
    public String name() {
        return "online rotation";
    }

    @Override
    public void prepare(ModelWork model) {
        RotationRules.checkInputs(model.spec(), model.block(0));
        model.editBlocks(StreamRotation::rotateInputs);
        model.note("inputs of output and down projections are rotated while the model runs, as a saved QuaRot model with online_rotate needs it");
    }

    @Override
    public void apply(BlockWork work) {
        // Rotations are there from when a block is read.
    }
}
