package io.llmc4j.cli.run;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.safetensors.SafetensorsWriter;
import io.llmc4j.engine.safetensors.TensorDeclaration;
import io.llmc4j.engine.safetensors.WriterOptions;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Shape;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What a method saves beside the model for a later run ({@code save_scale}, {@code save_clip}): {@code scales.safetensors} and {@code shifts.safetensors}
 * in {@code scale_path}, {@code clips.safetensors} in {@code clip_path}; float32 vectors by full layer name. Clip factors are logits, so that a range which
 * is not clipped at all is an infinity.
 */
final class Artifacts {

    private Artifacts() {
    }

    /** @return one line for each file that was written */
    static List<String> write(Map<String, Map<String, Matrix>> artifacts, Map<String, Object> special) {
        List<String> said = new ArrayList<>();
        if (Boolean.TRUE.equals(special.get("save_scale"))) {
            for (String file : List.of("scales", "shifts")) {
                file(artifacts, file, special.get("scale_path"), said);
            }
        }
        if (Boolean.TRUE.equals(special.get("save_clip"))) {
            file(artifacts, "clips", special.get("clip_path"), said);
        }
        return said;
    }

    private static void file(Map<String, Map<String, Matrix>> artifacts, String name, Object directory, List<String> said) {
        Map<String, Matrix> vectors = new TreeMap<>(artifacts.getOrDefault(name, Map.of()));
        if (vectors.isEmpty()) {
            return;
        }
        Path target = Path.of(directory.toString()).resolve(name + ".safetensors");
        try {
            Files.createDirectories(target.toAbsolutePath().getParent());
        } catch (IOException e) {
            throw new BadInput(BadInput.Common.OUTPUT, target + " cannot be written: " + e.getMessage(), e);
        }
        boolean logits = name.equals("clips");
        vectors.forEach((key, m) -> {
            for (float v : m.data()) {
                if (Float.isNaN(v)) {
                    throw new ArithmeticException(key + " in " + name + " is not a number");
                }
            }
        });
        List<TensorDeclaration> declared = vectors.entrySet().stream().map(e -> new TensorDeclaration(e.getKey(), DType.F32, shape(e.getValue()))).toList();
        try (SafetensorsWriter writer = SafetensorsWriter.create(target, declared, Map.of("format", "pt"), new WriterOptions(logits))) {
            vectors.forEach((key, m) -> writer.append(key, MemorySegment.ofArray(m.data())));
            writer.finish();
        }
        said.add(vectors.size() + " vectors saved in " + target);
    }

    private static Shape shape(Matrix m) {
        return m.rows() == 1 ? new Shape(m.cols()) : new Shape(m.rows(), m.cols());
    }
}
