package io.llmc4j.engine.pipeline;

import io.llmc4j.engine.calibrate.Capture;
import io.llmc4j.engine.calibrate.Inputs;
import io.llmc4j.engine.calibrate.StoredInputs;
import io.llmc4j.engine.device.ForwardPass;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Decoder;
import io.llmc4j.engine.model.ForwardHooks;
import io.llmc4j.engine.model.Hidden;
import io.llmc4j.engine.model.KvCache;
import java.util.function.Supplier;

/** Forward passes of one block over chunks of states: the one place that knows which cache a pass sees. */
record Passes(Decoder decoder, Supplier<KvCache> cache) {

    /** Outputs go to {@code out} chunk by chunk; a chunk that is there already is replaced. */
    void run(Block block, Inputs in, StoredInputs out, ForwardHooks hooks) {
        for (int c = 0; c < in.chunks(); c++) {
            hooks.beginChunk(c, in.batchOf(c));
            int chunk = c;
            Hidden y = ForwardPass.of(() -> decoder.block(block, in.chunk(chunk), hooks, cache.get()));
            Soundness.requireFinite(block, c, y);
            if (c < out.chunks()) {
                out.set(c, y);
            } else {
                out.add(in.batchOf(c), y);
            }
        }
    }

    /** Only for what the capture sees; a chunk's pass ends when it has seen all. */
    void gather(Block block, Inputs in, Capture capture) {
        for (int c = 0; c < in.chunks(); c++) {
            capture.beginChunk(c, in.batchOf(c));
            try {
                int chunk = c;
                ForwardPass.of(() -> decoder.block(block, in.chunk(chunk), capture, cache.get()));
            } catch (Capture.Enough e) {
                // All layers of this chunk were seen.
            }
        }
    }
}
