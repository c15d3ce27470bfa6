package io.llmc4j.formats.export.gguf;

import io.llmc4j.formats.export.gguf.imatrix.ImportanceMatrix;
import io.llmc4j.formats.export.gguf.mix.FileType;
import java.nio.file.Path;
import java.util.Optional;

/**
 * What to write.
 *
 * @param directory  where the file goes; made when it is not there
 * @param name       the model's name: the file is {@code name-Q4_K_M.gguf}
 * @param type       the mix
 * @param importance weights of columns, or {@link ImportanceMatrix#NONE}
 * @param splitBytes tensor bytes after which a new part begins; 0: one file
 * @param tokenizer  the model directory whose tokenizer goes into the file; empty: the file has none
 */
public record GgufTarget(Path directory, String name, FileType type, ImportanceMatrix importance, long splitBytes, Optional<Path> tokenizer) {

    public static GgufTarget of(Path directory, String name, FileType type, Path tokenizer) {
        return new GgufTarget(directory, name, type, ImportanceMatrix.NONE, 0, Optional.of(tokenizer));
    }

    public GgufTarget withImportance(ImportanceMatrix m) {
        return new GgufTarget(directory, name, type, m, splitBytes, tokenizer);
    }

    public GgufTarget withSplit(long bytes) {
        return new GgufTarget(directory, name, type, importance, bytes, tokenizer);
    }

    /** The file, or what the names of its parts are made from. */
    public Path file() {
        return directory.resolve(name + "-" + type + ".gguf");
    }
}
