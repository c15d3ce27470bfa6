package io.llmc4j.engine.evaluate;

import io.llmc4j.engine.calibrate.SpillingStateStore;
import io.llmc4j.engine.model.Decoder;
import io.llmc4j.engine.model.KvCache;
import io.llmc4j.engine.model.PlainKvCache;
import io.llmc4j.engine.pipeline.ModelSource;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.pipeline.RunListener;
import java.nio.file.Path;

/** Evaluation of a model as it is: all windows flow block by block, one block in memory. */
public final class Perplexity {

    private Perplexity() {
    }

    /** @param evaluation its positions are not looked at */
    public static EvaluationResult of(ModelSource source, Evaluation evaluation, RunConfig.Memory memory, RunListener listener) {
        Decoder decoder = new Decoder(source.spec());
        try (SpillingStateStore store = new SpillingStateStore(memory.stateBytes(), Path.of(System.getProperty("java.io.tmpdir")));
             EvaluationFlow flow = new EvaluationFlow(decoder, source.ends(), evaluation, Position.PRETRAIN, store, memory.chunkTokens(),
                     evaluation.kind() == Evaluation.Kind.DECODE_PERPLEXITY ? PlainKvCache::new : () -> KvCache.NONE)) {
            int blocks = source.spec().blocks();
            for (int i = 0; i < blocks; i++) {
                long start = System.nanoTime();
                listener.blockStarted(i, blocks);
                source.checkUnchanged();
                flow.through(source.block(i));
                source.release();
                listener.blockDone(i, blocks, (System.nanoTime() - start) * 1e-9);
            }
            EvaluationResult r = flow.result(flow.perplexity(source.ends()));
            listener.evaluationDone(r);
            return r;
        } catch (InternalError e) {
            // How the virtual machine tells that a mapped file has become shorter than its mapping.
            source.checkUnchanged();
            throw e;
        }
    }
}
