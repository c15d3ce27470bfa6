package io.llmc4j.formats.export.gguf.imatrix;

import io.llmc4j.engine.calibrate.CalibrationSet;
import io.llmc4j.engine.calibrate.SpillingStateStore;
import io.llmc4j.engine.calibrate.StateStore;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Decoder;
import io.llmc4j.engine.model.Hidden;
import io.llmc4j.engine.model.ModelSpec;
import io.llmc4j.engine.pipeline.ModelSource;
import io.llmc4j.formats.export.gguf.arch.GgufArch;
import java.nio.file.Path;
import java.util.List;
import java.util.function.IntConsumer;

/** Computes importance matrices: one pass over calibration windows, block by block, so that one block is in memory at a time. */
public final class Importance {

    private static final int TOKENS_TOGETHER = 4096;

    private Importance() {
    }

    /**
     * @param stateBytes   states that wait outside the heap; what is more goes to a temporary file in {@code temporary}
     * @param blockDone    called with the number of blocks that are done
     */
    public static ImportanceMatrix compute(ModelSource model, CalibrationSet data, long stateBytes, Path temporary, IntConsumer blockDone) {
        ModelSpec spec = model.spec();
        Decoder decoder = new Decoder(spec);
        ImportanceCollector collector = new ImportanceCollector(GgufArch.ofFamily(spec.family()));
        List<CalibrationSet.Chunk> chunks = data.chunks(TOKENS_TOGETHER);
        try (StateStore store = new SpillingStateStore(stateBytes, temporary)) {
            StateStore.States states = store.states("importance");
            for (int i = 0; i < chunks.size(); i++) {
                states.put(i, decoder.embed(model.ends(), data.ids(chunks.get(i))));
            }
            for (int b = 0; b < spec.blocks(); b++) {
                Block block = model.block(b);
                collector.block(b, spec.layers().get(b).feedForward().experts().map(e -> e.count()).orElse(0));
                boolean last = b == spec.blocks() - 1;
                for (int i = 0; i < chunks.size(); i++) {
                    Hidden out = decoder.block(block, states.get(i), collector);
                    if (!last) {
                        states.put(i, out);
                    }
                }
                blockDone.accept(b + 1);
            }
        }
        return new ImportanceMatrix(collector.entries(), List.of(data.name()), data.samples().length, data.seqLen());
    }
}
