package io.llmc4j.engine.pipeline;

import io.llmc4j.engine.evaluate.EvaluationResult;
import java.util.List;

/** Several listeners as one. */
record RunListeners(List<RunListener> all) implements RunListener {

    @Override
    public void started(RunConfig config, int blocks) {
        all.forEach(l -> l.started(config, blocks));
    }

    @Override
    public void resumed(int blocksDone, int blocks) {
        all.forEach(l -> l.resumed(blocksDone, blocks));
    }

    @Override
    public void saved(int blocksDone) {
        all.forEach(l -> l.saved(blocksDone));
    }

    @Override
    public void phase(String what) {
        all.forEach(l -> l.phase(what));
    }

    @Override
    public void blockStarted(int block, int blocks) {
        all.forEach(l -> l.blockStarted(block, blocks));
    }

    @Override
    public void stageStarted(int block, String stage) {
        all.forEach(l -> l.stageStarted(block, stage));
    }

    @Override
    public void epochDone(int block, String stage, int epoch, double loss) {
        all.forEach(l -> l.epochDone(block, stage, epoch, loss));
    }

    @Override
    public void scaleFolded(int block, io.llmc4j.engine.model.Subset subset, float[] scale) {
        all.forEach(l -> l.scaleFolded(block, subset, scale));
    }

    @Override
    public void layerDone(LayerResult layer) {
        all.forEach(l -> l.layerDone(layer));
    }

    @Override
    public void blockDone(int block, int blocks, double seconds) {
        all.forEach(l -> l.blockDone(block, blocks, seconds));
    }

    @Override
    public void evaluationDone(EvaluationResult result) {
        all.forEach(l -> l.evaluationDone(result));
    }

    @Override
    public void note(String text) {
        all.forEach(l -> l.note(text));
    }
}
