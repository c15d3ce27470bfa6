package io.llmc4j.engine.method;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.safetensors.SafetensorsFile;
import io.llmc4j.engine.tensor.Tensors;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Vectors that an earlier run saved: {@code scales.safetensors} (full layer name to scale), {@code shifts.safetensors}, and {@code clips.safetensors}
 * (full layer name plus {@code .upbound_factor} or {@code .lowbound_factor} to logits, one a range).
 */
final class SavedVectors implements AutoCloseable {

    private final SafetensorsFile file;

    private SavedVectors(SafetensorsFile file) {
        this.file = file;
    }

    /**
     * @param key  the setting that names the place, for errors
     * @param path the file, or the directory that holds it
     * @param name of the file without its ending
     */
    static SavedVectors open(String key, String path, String name) {
        if (path.isEmpty()) {
            throw BadInput.of(BadInput.Common.CONFIG, "special.%s is missing: name the directory where an earlier run saved %s.safetensors", key, name);
        }
        Path p = Path.of(path);
        Path f = Files.isDirectory(p) ? p.resolve(name + ".safetensors") : p;
        if (!Files.isRegularFile(f)) {
            throw BadInput.of(BadInput.Common.CONFIG, "special.%s: there is no %s; an earlier run writes it with save_%s: True", key, f, name.substring(0, name.length() - 1));
        }
        return new SavedVectors(SafetensorsFile.open(f));
    }

    Optional<float[]> find(String name) {
        return file.find(name).map(Tensors::toFloats);
    }

    /** Throws BadInput when it is not there or has another length. */
    float[] get(String name, int length) {
        float[] v = find(name).orElseThrow(() -> BadInput.of(BadInput.Common.CONFIG, "%s has no vector %s; it belongs to another model", file.name(), name));
        if (v.length != length) {
            throw BadInput.of(BadInput.Common.CONFIG, "%s: vector %s has %d values, the model needs %d; it belongs to another model", file.name(), name, v.length, length);
        }
        return v;
    }

    @Override
    public void close() {
        file.close();
    }
}
