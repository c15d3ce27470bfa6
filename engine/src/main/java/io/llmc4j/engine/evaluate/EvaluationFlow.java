package io.llmc4j.engine.evaluate;

import io.llmc4j.engine.calibrate.StateStore;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Decoder;
import io.llmc4j.engine.model.ForwardHooks;
import io.llmc4j.engine.model.Hidden;
import io.llmc4j.engine.model.KvCache;
import io.llmc4j.engine.model.ModelEnds;
import java.util.Arrays;
import java.util.function.Supplier;

/**
 * Evaluation windows that flow through one version of a model block by block, so that no second pass over the model is needed and no version
 * is in memory as a whole.
 */
public final class EvaluationFlow implements AutoCloseable {

    private final Decoder decoder;
    private final Evaluation evaluation;
    private final Position position;
    private final StateStore.States states;
    private final int together;
    private final Supplier<KvCache> cache;

    /**
     * @param chunkTokens tokens that flow through a block together
     * @param cache       a fresh cache for each chunk of each pass
     */
    public EvaluationFlow(Decoder decoder, ModelEnds ends, Evaluation evaluation, Position position, StateStore store, int chunkTokens, Supplier<KvCache> cache) {
        this.decoder = decoder;
        this.evaluation = evaluation;
        this.position = position;
        this.states = store.states(evaluation.name() + " " + position.label());
        this.together = Math.max(1, chunkTokens / evaluation.seqLen());
        this.cache = cache;
        for (int c = 0; c < chunks(); c++) {
            states.put(c, decoder.embed(ends, ids(c)));
        }
    }

    public Evaluation evaluation() {
        return evaluation;
    }

    public Position position() {
        return position;
    }

    int chunks() {
        return (evaluation.windows().length + together - 1) / together;
    }

    int[][] ids(int chunk) {
        return Arrays.copyOfRange(evaluation.windows(), chunk * together, Math.min(evaluation.windows().length, (chunk + 1) * together));
    }

    /** All windows through the block as it is now. */
    public void through(Block block) {
        for (int c = 0; c < chunks(); c++) {
            states.put(c, decoder.block(block, states.get(c), ForwardHooks.NONE, cache.get()));
        }
    }

    /** exp of the mean negative log-likelihood of every token but the first of each window, added up in float64 (spec 15.2). */
    public double perplexity(ModelEnds ends) {
        double sum = 0;
        for (int c = 0; c < chunks(); c++) {
            for (double window : decoder.crossEntropy(ends, states.get(c), ids(c))) {
                sum += window;
            }
        }
        return StrictMath.exp(sum / ((double) evaluation.windows().length * (evaluation.seqLen() - 1)));
    }

    /** The most likely next token of every position, [windows * seqLen]; the lowest id among equals. */
    public int[] mostLikely(ModelEnds ends) {
        int[] out = new int[Math.toIntExact(evaluation.tokens())];
        int at = 0;
        for (int c = 0; c < chunks(); c++) {
            Hidden h = states.get(c);
            // Sequence by sequence: logits of a whole chunk may be large.
            for (int b = 0; b < h.batch(); b++) {
                Hidden one = new Hidden(1, h.tokens(), h.data().rows(b * h.tokens(), (b + 1) * h.tokens()));
                io.llmc4j.engine.tensor.Matrix logits = decoder.logits(ends, one);
                for (int r = 0; r < logits.rows(); r++) {
                    int best = 0;
                    for (int j = 1; j < logits.cols(); j++) {
                        best = logits.get(r, j) > logits.get(r, best) ? j : best;
                    }
                    out[at++] = best;
                }
            }
        }
        return out;
    }

    public EvaluationResult result(double value) {
        return new EvaluationResult(evaluation.name(), evaluation.kind(), position, evaluation.seqLen(), evaluation.windows().length, evaluation.tokens(), value);
    }

    @Override
    public void close() {
        states.close();
    }
}
