package io.llmc4j.engine.safetensors;

import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Shape;

/** One tensor of a header; {@code begin} and {@code end} are bytes from the start of the data section. */
public record TensorEntry(String name, DType dtype, Shape shape, long begin, long end) {

    public long bytes() {
        return end - begin;
    }
}
