package io.llmc4j.engine.safetensors;

import java.nio.file.Path;

/** A file that is whole under its final name; {@code sha256} in lower-case hexadecimal. */
public record WrittenFile(Path path, long bytes, String sha256) {
}
