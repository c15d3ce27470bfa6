package io.llmc4j.engine.evaluate;

import io.llmc4j.engine.calibrate.StateStore;
import io.llmc4j.engine.device.ForwardPass;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Decoder;
import io.llmc4j.engine.model.ForwardHooks;
import io.llmc4j.engine.model.Hidden;
import io.llmc4j.engine.model.KvCache;
import io.llmc4j.engine.model.ModelEnds;
import io.llmc4j.engine.tensor.Matrix;
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
    private final boolean decoding;
    private final Supplier<KvCache> cache;

    /**
     * @param chunkTokens tokens that flow through a block together
     * @param cache       the cache for each chunk of each pass; for decode_ppl it has to remember
     */
    public EvaluationFlow(Decoder decoder, ModelEnds ends, Evaluation evaluation, Position position, StateStore store, int chunkTokens, Supplier<KvCache> cache) {
        this.decoder = decoder;
        this.evaluation = evaluation;
        this.position = position;
        this.states = store.states(evaluation.name() + " " + position.label());
        this.decoding = evaluation.kind() == Evaluation.Kind.DECODE_PERPLEXITY;
        this.together = decoding ? 1 : Math.max(1, chunkTokens / evaluation.seqLen());
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

    StateStore.States states() {
        return states;
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
            Hidden in = states.get(c);
            states.put(c, ForwardPass.of(() -> decoding ? decoded(block, in, cache.get()) : decoder.block(block, in, ForwardHooks.NONE, cache.get())));
        }
    }

    /** Token by token through the cache. The last token of a text predicts nothing and is not fed. */
    private Hidden decoded(Block block, Hidden in, KvCache cache) {
        Matrix x = in.data();
        Matrix out = new Matrix(x.rows(), x.cols());
        for (int t = 0; t + 1 < in.tokens(); t++) {
            Hidden y = decoder.block(block, new Hidden(1, 1, x.rows(t, t + 1)), ForwardHooks.NONE, cache);
            System.arraycopy(y.data().data(), 0, out.data(), t * x.cols(), x.cols());
        }
        return in.with(out);
    }

    /** exp of the mean negative log-likelihood of every token but the first of each window, added up in float64 (spec 15.2). */
    public double perplexity(ModelEnds ends) {
        double sum = 0;
        for (int c = 0; c < chunks(); c++) {
            Hidden last = states.get(c);
            int[][] ids = ids(c);
            for (double window : ForwardPass.of(() -> decoder.crossEntropy(ends, last, ids))) {
                sum += window;
            }
        }
        return StrictMath.exp(sum / (evaluation.tokens() - evaluation.windows().length));
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
                Matrix logits = decoder.logits(ends, one);
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
