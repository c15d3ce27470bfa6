package io.llmc4j.formats.export;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.DType;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.Optional;

/**
 * Models of plain floats under their original names and in their original type: after the method's transformation ({@code trans}), or quantized
 * and dequantized ({@code fake}).
 *
 * @param fake quantized and dequantized values; false: transformed ones
 */
record FloatFormat(String name, String directory, String description, boolean fake) implements ModuleFormat {

    @Override
    public boolean holdsCodes() {
        return false;
    }

    @Override
    public boolean symmetricByDefault() {
        return false;
    }

    @Override
    public List<String> problems(PlannedLayer layer) {
        return List.of();
    }

    @Override
    public ModuleWriter writer(DType modelType) {
        return new ModuleWriter() {
            @Override
            public Optional<Coded> coded(ModuleToWrite m, Arena arena) {
                return Optional.empty();
            }

            @Override
            public Matrix floats(ModuleToWrite m) {
                return fake ? m.fake() : m.transformed();
            }

            @Override
            public void describe(ObjectNode config, String head) {
                // floats need no description
            }
        };
    }
}
