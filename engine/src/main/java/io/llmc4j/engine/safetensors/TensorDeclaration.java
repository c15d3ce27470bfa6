package io.llmc4j.engine.safetensors;

import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensor;

/** A tensor that will be written: all that the header needs to know before any byte is there. */
public record TensorDeclaration(String name, DType dtype, Shape shape) {

    public static TensorDeclaration of(String name, Tensor t) {
        return new TensorDeclaration(name, t.dtype(), t.shape());
    }

    /** Throws ArithmeticException past 2^63 bits. */
    public long bytes() {
        long bits = Math.multiplyExact(shape.elements(), (long) dtype.bits());
        if (bits % 8 != 0) {
            throw new IllegalArgumentException("tensor '" + name + "' " + dtype + shape + " does not fill its last byte");
        }
        return bits / 8;
    }
}
