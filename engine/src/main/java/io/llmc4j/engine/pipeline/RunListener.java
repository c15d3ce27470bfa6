package io.llmc4j.engine.pipeline;

import io.llmc4j.engine.evaluate.EvaluationResult;

/** The events of a run. Progress, report and journal listen; the fold knows none of them. Called on the thread that runs the fold. */
public interface RunListener {

    RunListener NONE = new RunListener() { };

    /** Before anything is read. {@code blocks}: those of the model. */
    default void started(RunConfig config, int blocks) {
    }

    /** The run goes on where an earlier process left it. */
    default void resumed(int blocksDone, int blocks) {
    }

    /** A journal has it that these blocks are done: they are not lost any more. */
    default void saved(int blocksDone) {
    }

    /** A step before the first block or after the last ("rotating embeddings", "perplexity of fake_quant"). */
    default void phase(String what) {
    }

    default void blockStarted(int block, int blocks) {
    }

    /** A stage begins on a block. */
    default void stageStarted(int block, String stage) {
    }

    /** A stage that learns has passed over the calibration data once more. */
    default void epochDone(int block, String stage, int epoch, double loss) {
    }

    /** A scale was folded into what feeds a subset; one entry an output of the predecessor. */
    default void scaleFolded(int block, io.llmc4j.engine.model.Subset subset, float[] scale) {
    }

    default void layerDone(LayerResult layer) {
    }

    default void blockDone(int block, int blocks, double seconds) {
    }

    default void evaluationDone(EvaluationResult result) {
    }

    /** Something that the report should say. */
    default void note(String text) {
    }

    /** All of these, in order. */
    static RunListener all(RunListener... listeners) {
        return new RunListeners(java.util.List.of(listeners));
    }
}
