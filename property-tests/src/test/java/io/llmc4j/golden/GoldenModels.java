package io.llmc4j.golden;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.zip.GZIPInputStream;

/** The golden values' input models, unpacked into a directory. */
public final class GoldenModels {

    private GoldenModels() {
    }

    /** @return {@code parent/llama_g} */
    public static Path llama(Path parent) {
        return unpack("llama_g", parent);
    }

    /** @return {@code parent/model}, where {@code model} is llama_g or opt_g */
    public static Path unpack(String model, Path parent) {
        Path dir = parent.resolve(model);
        try {
            Files.createDirectories(dir);
            for (String f : List.of("config.json", "generation_config.json", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json")) {
                try (InputStream in = open(model, f)) {
                    Files.copy(in, dir.resolve(f));
                }
            }
            try (InputStream in = new GZIPInputStream(open(model, "model.safetensors.gz"))) {
                Files.copy(in, dir.resolve("model.safetensors"));
            }
            return dir;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static InputStream open(String model, String file) {
        return GoldenModels.class.getResourceAsStream("/golden/models/" + model + "/" + file);
    }
}
