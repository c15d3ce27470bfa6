package io.llmc4j.engine.method.training;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.autodiff.AdamW;
import io.llmc4j.engine.method.BlockWork;

/**
 * The steps of a training, of which one whose gradients are not finite is left out: what remains of LLMC's loss scaling by powers of two, which is exact in
 * float32. How many were is told; a training of which nothing is left ends the run.
 */
public final class Steps {

    private int taken;
    private int skipped;

    /** One update, or none. */
    public void take(AdamW optimizer) {
        if (optimizer.gradientsFinite()) {
            optimizer.step();
            taken++;
        } else {
            skipped++;
        }
    }

    /** Throws BadInput (MODEL) when there were only gradients that are not finite. */
    public void tell(BlockWork work, String stage) {
        if (skipped == 0) {
            return;
        }
        if (taken == 0) {
            throw BadInput.of(BadInput.Common.MODEL, "%s: none of %d gradients of block %d (%s and the layers after it) is finite; its weights or activations are too large, "
                    + "or the learning rate is", stage, skipped, work.block().index(), work.fullName(work.block().linears().getFirst()));
        }
        work.note(work.block().linears().getFirst(), stage + ": " + skipped + " of " + (taken + skipped) + " steps of the block left out, their gradients were not finite");
    }
}
