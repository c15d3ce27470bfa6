package io.llmc4j.golden;

import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;

/** Tensors of golden files as the codecs take them, and what the codecs give held against the files' bytes. */
final class GoldenModule {

    private GoldenModule() {
    }

    static Optional<Tensor> find(GoldenTensors g, String name, Arena arena) {
        if (!g.has(name)) {
            return Optional.empty();
        }
        ByteBuffer raw = g.raw(name);
        byte[] bytes = new byte[raw.remaining()];
        raw.get(bytes);
        Tensor t = Tensor.allocate(DType.named(g.dtype(name)).orElseThrow(), new Shape(Arrays.stream(g.shape(name)).asLongStream().toArray()), arena);
        t.bytes().copyFrom(java.lang.foreign.MemorySegment.ofArray(bytes));
        return Optional.of(t);
    }

    /** "" when every tensor has the golden one's type, shape and bytes, else the first difference. */
    static String difference(GoldenTensors g, String prefix, Map<String, Tensor> ours) {
        for (Map.Entry<String, Tensor> e : ours.entrySet()) {
            String name = prefix + e.getKey();
            if (!g.has(name)) {
                return name + " is not in the golden file";
            }
            Shape shape = new Shape(Arrays.stream(g.shape(name)).asLongStream().toArray());
            if (!e.getValue().dtype().name().equals(g.dtype(name)) || !e.getValue().shape().equals(shape)) {
                return name + " is " + e.getValue().dtype() + e.getValue().shape() + ", golden " + g.dtype(name) + shape;
            }
            byte[] a = Tensors.toBytes(e.getValue());
            byte[] b = g.bytesOf(name);
            int at = Arrays.mismatch(a, b);
            if (at >= 0) {
                return name + " differs at byte " + at + ": " + a[at] + ", golden " + b[at];
            }
        }
        return "";
    }
}
