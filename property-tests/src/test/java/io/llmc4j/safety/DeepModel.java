package io.llmc4j.safety;

import io.llmc4j.engine.safetensors.SafetensorsFile;
import io.llmc4j.engine.safetensors.SafetensorsWriter;
import io.llmc4j.engine.safetensors.TensorDeclaration;
import io.llmc4j.engine.safetensors.WriterOptions;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.golden.GoldenModels;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The golden Llama of two blocks with its blocks repeated: many boundaries, little work. */
final class DeepModel {

    private DeepModel() {
    }

    static Path make(Path parent, int blocks) throws IOException {
        Path two = GoldenModels.llama(parent.resolve("two"));
        Path out = Files.createDirectories(parent.resolve("model" + blocks));
        for (String f : List.of("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")) {
            Files.copy(two.resolve(f), out.resolve(f));
        }
        Files.writeString(out.resolve("config.json"),
                Files.readString(two.resolve("config.json")).replace("\"num_hidden_layers\": 2", "\"num_hidden_layers\": " + blocks));
        try (SafetensorsFile f = SafetensorsFile.open(two.resolve("model.safetensors"))) {
            Map<String, Tensor> tensors = new LinkedHashMap<>();
            for (String name : f.names()) {
                if (name.startsWith("model.layers.")) {
                    int from = Integer.parseInt(name.split("\\.")[2]);
                    for (int b = from; b < blocks; b += 2) {
                        tensors.put(name.replaceFirst("layers\\.\\d+", "layers." + b), f.tensor(name));
                    }
                } else {
                    tensors.put(name, f.tensor(name));
                }
            }
            List<TensorDeclaration> declared = tensors.entrySet().stream().map(e -> TensorDeclaration.of(e.getKey(), e.getValue())).toList();
            try (SafetensorsWriter w = SafetensorsWriter.create(out.resolve("model.safetensors"), declared, Map.of("format", "pt"), WriterOptions.STRICT)) {
                tensors.forEach(w::write);
                w.finish();
            }
        }
        return out;
    }
}
