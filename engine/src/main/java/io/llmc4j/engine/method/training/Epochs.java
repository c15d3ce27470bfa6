package io.llmc4j.engine.method.training;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.autodiff.AdamW;
import io.llmc4j.engine.autodiff.ElementOps;
import io.llmc4j.engine.autodiff.Tape;
import io.llmc4j.engine.autodiff.Var;
import io.llmc4j.engine.calibrate.Inputs;
import io.llmc4j.engine.method.BlockWork;

/**
 * Passes over the calibration data with one optimizer step a logical batch. A batch of several chunks adds up their gradients, each weighed by its
 * share of the rows, so the step does not depend on how a batch is cut.
 */
public final class Epochs {

    /** The loss (1 x 1, a mean over the chunk's rows) of one chunk of the block's inputs. */
    public interface ChunkLoss {
        Var loss(Tape tape, int chunk);
    }

    private Epochs() {
    }

    /**
     * @param afterStep runs after every step, for parameters with bounds
     * @throws BadInput when a loss or every gradient is not finite, with the block's name
     */
    public static void run(BlockWork work, String stage, int epochs, AdamW optimizer, ChunkLoss loss, Runnable afterStep) {
        Inputs inputs = work.blockInputs();
        Tape tape = new Tape();
        Steps steps = new Steps();
        for (int epoch = 0; epoch < epochs; epoch++) {
            double total = 0;
            int batches = 0;
            int from = 0;
            while (from < inputs.chunks()) {
                int to = from + 1;
                long rows = inputs.rows(from);
                while (to < inputs.chunks() && inputs.batchOf(to) == inputs.batchOf(from)) {
                    rows += inputs.rows(to++);
                }
                total += step(tape, optimizer, steps, loss, inputs, from, to, rows);
                batches++;
                from = to;
                afterStep.run();
            }
            double mean = total / batches;
            work.loss(stage, epoch, mean);
            finite(work, stage, epoch, mean);
        }
        steps.tell(work, stage);
    }

    private static double step(Tape tape, AdamW optimizer, Steps steps, ChunkLoss loss, Inputs inputs, int from, int to, long rows) {
        optimizer.zeroGradients();
        double total = 0;
        for (int c = from; c < to; c++) {
            Var l = loss.loss(tape, c);
            float share = (float) ((double) inputs.rows(c) / rows);
            Var weighed = share == 1f ? l : ElementOps.scale(tape, l, share);
            total += weighed.value().data()[0];
            tape.backward(weighed);
            tape.reset();
        }
        steps.take(optimizer);
        return total;
    }

    /** Stops a run whose loss is not a number. */
    public static void finite(BlockWork work, String stage, int epoch, double loss) {
        if (!Double.isFinite(loss)) {
            throw BadInput.of(BadInput.Common.MODEL, "the loss of %s is %s in epoch %d of block %d; the model's weights or activations are not finite there, "
                    + "or the learning rate is too large", stage, loss, epoch, work.block().index());
        }
    }
}
