package io.llmc4j.formats.export.gguf;

import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.ModelEnds;
import io.llmc4j.engine.pipeline.LayerResult;
import io.llmc4j.engine.pipeline.ModelSink;
import io.llmc4j.formats.export.OutputDirectory;
import io.llmc4j.formats.export.gguf.imatrix.ImportanceMatrix;
import io.llmc4j.formats.export.gguf.mix.FileType;
import io.llmc4j.formats.hf.HfModel;
import java.nio.file.Path;
import java.util.List;

/** A directory with one GGUF file, which appears whole or not at all. */
final class GgufDirectorySink implements ModelSink {

    private final OutputDirectory directory;
    private final GgufSink sink;

    GgufDirectorySink(HfModel source, Path target, FileType type, ImportanceMatrix importance, boolean overwrite) {
        this.directory = OutputDirectory.begin(target, source.directory(), overwrite);
        String name = source.directory().map(d -> d.toAbsolutePath().normalize().getFileName().toString()).orElse(source.spec().family());
        try {
            this.sink = new GgufSink(new GgufTarget(directory.staging(), name, type, importance, 0, source.directory()), source.spec());
        } catch (RuntimeException e) {
            directory.discard();
            throw e;
        }
    }

    @Override
    public void ends(ModelEnds ends) {
        sink.ends(ends);
    }

    @Override
    public void block(Block block, List<LayerResult> layers) {
        sink.block(block, layers);
    }

    @Override
    public Written finish() {
        Written inside = sink.finish();
        return new Written(directory.commit(), inside.files(), inside.dropped());
    }

    @Override
    public List<String> verify() {
        return sink.verify(directory.target());
    }

    @Override
    public void close() {
        sink.close();
        directory.discard();
    }
}
