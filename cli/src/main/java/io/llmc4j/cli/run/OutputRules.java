package io.llmc4j.cli.run;

import io.llmc4j.engine.BadInput;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.Stream;

/** The rules for where a run may write. */
final class OutputRules {

    private OutputRules() {
    }

    /** Throws BadInput (OUTPUT) when the directory is the model's, lies in it or around it, is a file, or has something in it without {@code overwrite}. */
    static void check(Path output, Path model, boolean overwrite) {
        Path out = real(output);
        Path in = real(model);
        if (out.equals(in)) {
            throw BadInput.of(BadInput.Common.OUTPUT, "input and output are the same directory, %s; the model would be overwritten", output);
        }
        if (in.startsWith(out)) {
            throw BadInput.of(BadInput.Common.OUTPUT, "the output directory %s holds the model %s; choose another one", output, model);
        }
        if (out.startsWith(in)) {
            throw BadInput.of(BadInput.Common.OUTPUT, "the output directory %s lies in the model's directory %s; choose another one", output, model);
        }
        if (Files.exists(output) && !Files.isDirectory(output)) {
            throw BadInput.of(BadInput.Common.OUTPUT, "the output %s is a file; it has to be a directory that does not exist or is empty", output);
        }
        if (!overwrite && Files.isDirectory(output)) {
            try (Stream<Path> entries = Files.list(output)) {
                Optional<Path> first = entries.sorted().findFirst();
                if (first.isPresent()) {
                    throw BadInput.of(BadInput.Common.OUTPUT, "the output directory %s is not empty (%s is in it); give another one, or --overwrite", output,
                            first.get().getFileName());
                }
            } catch (IOException e) {
                throw BadInput.of(BadInput.Common.OUTPUT, "the output directory %s cannot be read: %s", output, e.getMessage());
            }
        }
        Path parent = existing(out);
        if (!Files.isDirectory(parent)) {
            throw BadInput.of(BadInput.Common.OUTPUT, "the output directory %s cannot be made: %s is a file", output, parent);
        }
        if (!Files.isWritable(parent)) {
            throw BadInput.of(BadInput.Common.OUTPUT, "nothing can be written in %s, where the output directory %s would be", parent, output);
        }
    }

    /** The disk that a directory is on, or will be. */
    static FileStore store(Path output) {
        try {
            return Files.getFileStore(existing(real(output)));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Space for new files there, in bytes. */
    static long usableBytes(FileStore store) {
        try {
            return store.getUsableSpace();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Path existing(Path p) {
        Path at = p;
        while (at != null && !Files.exists(at)) {
            at = at.getParent();
        }
        return at == null ? Path.of("/") : at;
    }

    /** Absolute, with the links of what exists followed. */
    private static Path real(Path p) {
        Path absolute = p.toAbsolutePath().normalize();
        Path base = existing(absolute);
        try {
            return base.toRealPath().resolve(base.relativize(absolute)).normalize();
        } catch (IOException e) {
            return absolute;
        }
    }
}
