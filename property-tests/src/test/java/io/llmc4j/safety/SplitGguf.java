package io.llmc4j.safety;

import io.llmc4j.formats.export.gguf.GgufSink;
import io.llmc4j.formats.export.gguf.GgufTarget;
import io.llmc4j.formats.export.gguf.imatrix.ImportanceMatrix;
import io.llmc4j.formats.export.gguf.mix.FileType;
import io.llmc4j.formats.hf.HfModel;
import java.nio.file.Path;
import java.util.Optional;

/** A process that writes a model as GGUF in several parts, as the library can. */
final class SplitGguf {

    private SplitGguf() {
    }

    /** model directory, output directory, tensor bytes of a part */
    public static void main(String[] args) {
        Path model = Path.of(args[0]);
        try (HfModel m = HfModel.open(model)) {
            GgufSink.write(m, new GgufTarget(Path.of(args[1]), "m", FileType.F32, ImportanceMatrix.NONE, Long.parseLong(args[2]), Optional.of(model)));
        }
    }
}
