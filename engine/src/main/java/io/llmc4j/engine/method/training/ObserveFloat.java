package io.llmc4j.engine.method.training;

import io.llmc4j.engine.method.BlockWork;
import io.llmc4j.engine.method.Transform;

/** Sends the float stream through a block before the stages behind it change what the block computes. */
public record ObserveFloat(FloatStream stream) implements Transform {

    @Override
    public String name() {
        return "float outputs";
    }

    @Override
    public boolean runsBlockAgain() {
        return true;
    }

    @Override
    public void apply(BlockWork work) {
        stream.advance(work);
    }
}
