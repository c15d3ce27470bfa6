package io.llmc4j.engine.pipeline;

import java.util.List;

/** A compression run as a fold over blocks. */
public final class BlockFold {

    private final ModelSource source;
    private final RunConfig config;
    private final List<ModelSink> sinks;
    private final RunListener listener;

    public BlockFold(ModelSource source, RunConfig config, List<ModelSink> sinks, RunListener listener) {
        this.source = source;
        this.config = config;
        this.sinks = List.copyOf(sinks);
        this.listener = listener;
    }

    public RunSummary run() {
        throw new UnsupportedOperationException();
    }
}
