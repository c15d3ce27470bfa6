package io.llmc4j.formats.export.gguf;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.ModelEnds;
import io.llmc4j.engine.pipeline.LayerResult;
import io.llmc4j.engine.pipeline.ResumableSink;
import io.llmc4j.formats.export.OutputDirectory;
import io.llmc4j.formats.export.gguf.imatrix.ImportanceMatrix;
import io.llmc4j.formats.export.gguf.mix.FileType;
import io.llmc4j.formats.hf.HfModel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.ArrayList;
import java.util.List;

/** A directory with one GGUF file, which appears whole or not at all. */
final class GgufDirectorySink implements ResumableSink {

    private final Map<String, String> carried;
    private final OutputDirectory directory;
    private final GgufSink sink;
    private boolean begun;

    GgufDirectorySink(HfModel source, Path target, FileType type, ImportanceMatrix importance, boolean overwrite) {
        this.directory = OutputDirectory.begin(target, source.directory(), overwrite);
        this.carried = source.carried();
        String name = source.directory().map(d -> d.toAbsolutePath().normalize().getFileName().toString()).orElse(source.spec().family());
        this.sink = new GgufSink(new GgufTarget(directory.staging(), name, type, importance, 0, source.directory()), source.spec()).from(source);
    }

    @Override
    public void ends(ModelEnds ends) {
        directory.create();
        begun = true;
        sink.ends(ends);
    }

    @Override
    public void block(Block block, List<LayerResult> layers) {
        sink.block(block, layers);
    }

    @Override
    public String mark() {
        return sink.mark().toString();
    }

    @Override
    public void resume(ModelEnds ends, String mark) {
        directory.reopen();
        begun = true;
        sink.resume(ends, parse(mark), true);
        OutputDirectory.clear(directory.staging(), sink.waiting());
    }

    @Override
    public void resumeCommit(ModelEnds ends, String mark) {
        begun = true;
        sink.resume(ends, parse(mark), false);
    }

    private static JsonNode parse(String mark) {
        try {
            return new ObjectMapper().readTree(mark);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public Written prepare() {
        Written inside = sink.assemble();
        List<String> dropped = new ArrayList<>(inside.dropped());
        carried.forEach((group, what) -> dropped.add(group + ".*: " + what + "; llama.cpp has it in a file of its own, which is not made here"));
        return new Written(directory.target(), inside.files(), dropped);
    }

    @Override
    public void commit() {
        if (Files.isDirectory(directory.staging())) {
            OutputDirectory.clear(directory.staging(), sink.names());
        }
        directory.commit();
    }

    Path staging() {
        return directory.staging();
    }

    @Override
    public List<String> verify() {
        return sink.verify(directory.target());
    }

    @Override
    public void suspend() {
        sink.suspend();
        begun = false;
    }

    @Override
    public void close() {
        sink.close();
        if (begun) {
            directory.discard();
        }
    }
}
