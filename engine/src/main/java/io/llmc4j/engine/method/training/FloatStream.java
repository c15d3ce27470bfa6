package io.llmc4j.engine.method.training;

import io.llmc4j.engine.calibrate.Inputs;
import io.llmc4j.engine.calibrate.StateStore;
import io.llmc4j.engine.method.BlockWork;
import io.llmc4j.engine.model.ForwardHooks;
import io.llmc4j.engine.model.Hidden;

/**
 * The calibration samples as they flow through the float model, beside the quantized stream that the fold carries: the output of each float block
 * on the output of the float block before is what a learning method aims at.
 */
public final class FloatStream {

    private final String name;
    private StateStore.States states;

    public FloatStream(String name) {
        this.name = name;
    }

    /** Sends the stream through the block, which must still be float; {@link #target} then gives its outputs. Called once a block, in order. */
    public void advance(BlockWork work) {
        Inputs inputs = work.blockInputs();
        if (states == null) {
            states = work.store().states(name);
        }
        // A resumed run finds the stream where it was.
        boolean first = states.size() == 0;
        for (int i = 0; i < inputs.chunks(); i++) {
            Hidden x = first ? inputs.chunk(i) : states.get(i);
            states.put(i, work.decoder().block(work.block(), x, ForwardHooks.NONE));
        }
    }

    /** The float block's output for a chunk of {@link BlockWork#blockInputs}. */
    public Hidden target(int chunk) {
        return states.get(chunk);
    }
}
