package io.llmc4j.formats.export.gguf;

import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.formats.export.gguf.block.GgmlType;

/**
 * A tensor's entry.
 *
 * @param shape  slowest dimension first, as everywhere here (the file has the fastest first); at most 4
 * @param offset from the start of the data section
 */
public record GgufTensorInfo(String name, Shape shape, GgmlType type, long offset) {

    /** Elements of a row: the fastest dimension. */
    public long rowElements() {
        return shape.rank() == 0 ? 1 : shape.dim(-1);
    }

    public long rows() {
        return rowElements() == 0 ? 0 : shape.elements() / rowElements();
    }

    public long bytes() {
        return Math.multiplyExact(rows(), type.rowBytes(rowElements()));
    }
}
