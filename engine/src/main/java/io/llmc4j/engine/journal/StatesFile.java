package io.llmc4j.engine.journal;

import io.llmc4j.engine.calibrate.StateStore;
import io.llmc4j.engine.model.Hidden;
import io.llmc4j.engine.safetensors.SafetensorsFile;
import io.llmc4j.engine.safetensors.SafetensorsWriter;
import io.llmc4j.engine.safetensors.TensorDeclaration;
import io.llmc4j.engine.safetensors.WriterOptions;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * States of one block boundary in a safetensors file: state i of list "a" is the tensor "a/i" [batch, tokens, features], matrix j is "matrix/j".
 * One state at a time is on the heap.
 */
final class StatesFile {

    private StatesFile() {
    }

    /** Writes the file; it appears whole or not at all. */
    static void write(Path file, Map<String, StateStore.States> lists, List<Matrix> matrices) {
        List<TensorDeclaration> declared = new ArrayList<>();
        new TreeMap<>(lists).forEach((name, states) -> {
            for (int i = 0; i < states.size(); i++) {
                if (states.has(i)) {
                    declared.add(new TensorDeclaration(name(name, i), DType.F32, new Shape(states.batch(i), states.rows(i) / Math.max(1, states.batch(i)), states.features())));
                }
            }
        });
        for (int j = 0; j < matrices.size(); j++) {
            declared.add(new TensorDeclaration(name("matrix", j), DType.F32, new Shape(matrices.get(j).rows(), matrices.get(j).cols())));
        }
        try (SafetensorsWriter w = SafetensorsWriter.create(file, declared, Map.of(), new WriterOptions(true))) {
            new TreeMap<>(lists).forEach((name, states) -> {
                for (int i = 0; i < states.size(); i++) {
                    if (states.has(i)) {
                        w.append(name(name, i), MemorySegment.ofArray(states.get(i).data().data()));
                    }
                }
            });
            for (int j = 0; j < matrices.size(); j++) {
                w.append(name("matrix", j), MemorySegment.ofArray(matrices.get(j).data()));
            }
            w.finish();
        }
    }

    /** Puts the states of list {@code name} where they were. */
    static void read(SafetensorsFile file, String name, StateStore.States into) {
        for (String tensor : file.names()) {
            if (tensor.startsWith(name + "/")) {
                Tensor t = file.tensor(tensor);
                int batch = (int) t.shape().dim(0);
                int tokens = (int) t.shape().dim(1);
                into.put(Integer.parseInt(tensor.substring(name.length() + 1)),
                        new Hidden(batch, tokens, new Matrix(batch * tokens, (int) t.shape().dim(2), Tensors.toFloats(t))));
            }
        }
    }

    static Matrix matrix(SafetensorsFile file, int index) {
        Tensor t = file.tensor(name("matrix", index));
        return new Matrix((int) t.shape().dim(0), (int) t.shape().dim(1), Tensors.toFloats(t));
    }

    private static String name(String list, int index) {
        return list + "/" + index;
    }
}
