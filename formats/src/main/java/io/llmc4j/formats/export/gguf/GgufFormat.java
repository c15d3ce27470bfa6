package io.llmc4j.formats.export.gguf;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.pipeline.ModelSink;
import io.llmc4j.engine.pipeline.ResumableSink;
import io.llmc4j.formats.export.ExportFormat;
import io.llmc4j.formats.export.PlannedLayer;
import io.llmc4j.formats.export.gguf.block.GgmlType;
import io.llmc4j.formats.export.gguf.imatrix.ImportanceFiles;
import io.llmc4j.formats.export.gguf.imatrix.ImportanceMatrix;
import io.llmc4j.formats.export.gguf.mix.FileType;
import io.llmc4j.formats.hf.HfModel;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * GGUF as an export: {@code gguf} (Q4_K_M), {@code gguf:Q8_0}, or {@code gguf:IQ2_XS:imatrix.gguf} with an importance matrix from a file.
 *
 * @param importance where the importance matrix is, or empty
 */
public record GgufFormat(FileType type, Optional<Path> importance) implements ExportFormat {

    public static final String PREFIX = "gguf:";
    public static final GgufFormat DEFAULT = new GgufFormat(FileType.Q4_K_M, Optional.empty());

    /** Throws BadInput (USAGE) naming the file types. */
    public static GgufFormat parse(String name) {
        String[] parts = name.split(":", 3);
        FileType type = FileType.byName(parts[1]).orElseThrow(() -> BadInput.of(BadInput.Common.USAGE, "gguf: there is no file type '%s'; there are %s",
                parts[1], Arrays.stream(FileType.values()).map(Enum::name).collect(Collectors.joining(", "))));
        return new GgufFormat(type, parts.length > 2 ? Optional.of(Path.of(parts[2])) : Optional.empty());
    }

    @Override
    public String name() {
        return equals(DEFAULT) ? "gguf" : PREFIX + type + importance.map(p -> ":" + p).orElse("");
    }

    @Override
    public String directory() {
        return "gguf_model";
    }

    @Override
    public String description() {
        return "GGUF for llama.cpp and what is built on it; gguf:TYPE for another type than Q4_K_M, gguf:TYPE:FILE with an importance matrix";
    }

    @Override
    public boolean holdsCodes() {
        return true;
    }

    @Override
    public boolean roundsAgain() {
        return true;
    }

    @Override
    public boolean symmetricByDefault() {
        return type.main() != GgmlType.Q4_1 && type.main() != GgmlType.Q5_1;
    }

    @Override
    public List<String> problems(PlannedLayer layer) {
        return layer.activation().isPresent() ? List.of("GGUF says nothing of rounded activations") : List.of();
    }

    @Override
    public boolean stackedExperts() {
        return true;
    }

    @Override
    public List<Path> reads() {
        return importance.stream().toList();
    }

    @Override
    public ModelSink open(HfModel source, Path target, long maxShardBytes, boolean overwrite) {
        ImportanceMatrix matrix = importance.map(ImportanceFiles::read).orElse(ImportanceMatrix.NONE);
        return new GgufDirectorySink(source, target, type, matrix, overwrite);
    }

    /** Where the files of a sink of this format lie between {@link ResumableSink#prepare()} and {@link ResumableSink#commit()}. */
    public static Path staged(ResumableSink sink) {
        return ((GgufDirectorySink) sink).staging();
    }
}
