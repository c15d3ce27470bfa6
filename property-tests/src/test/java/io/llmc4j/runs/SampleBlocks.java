package io.llmc4j.runs;

import io.llmc4j.engine.safetensors.SafetensorsFile;
import io.llmc4j.engine.safetensors.SafetensorsWriter;
import io.llmc4j.engine.safetensors.TensorDeclaration;
import io.llmc4j.engine.safetensors.WriterOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** The first blocks of the sample model, as a model directory: what a run needs to be whole and short. */
final class SampleBlocks {

    private static final Path SAMPLE = Path.of(System.getProperty("llmc4j.root")).resolve("cli/samples/tiny-llama-en");

    private SampleBlocks() {
    }

    /** @return the directory */
    static Path write(Path directory, int blocks) throws IOException {
        Files.createDirectories(directory);
        for (String file : List.of("tokenizer.json", "tokenizer_config.json")) {
            Files.copy(SAMPLE.resolve(file), directory.resolve(file));
        }
        Files.writeString(directory.resolve("config.json"), Files.readString(SAMPLE.resolve("config.json")).replace("\"num_hidden_layers\": 6", "\"num_hidden_layers\": " + blocks));
        try (SafetensorsFile in = SafetensorsFile.open(SAMPLE.resolve("model.safetensors"))) {
            List<String> kept = in.names().stream().filter(n -> !n.matches("model\\.layers\\.[" + blocks + "-9]\\..*")).toList();
            List<TensorDeclaration> declared = kept.stream().map(n -> TensorDeclaration.of(n, in.tensor(n))).toList();
            try (SafetensorsWriter w = SafetensorsWriter.create(directory.resolve("model.safetensors"), declared, Map.of("format", "pt"), WriterOptions.STRICT)) {
                kept.forEach(n -> w.write(n, in.tensor(n)));
                w.finish();
            }
        }
        return directory;
    }
}
