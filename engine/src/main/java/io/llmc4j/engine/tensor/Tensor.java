package io.llmc4j.engine.tensor;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A typed, shaped view of bytes: little-endian, C order, contiguous; mapped from a file or owned by the arena that made it.
 * The tensor never closes its memory: whoever opened the arena does.
 */
public record Tensor(DType dtype, Shape shape, MemorySegment bytes) {

    public Tensor {
        long want = Math.ceilDiv(Math.multiplyExact(shape.elements(), (long) dtype.bits()), 8L);
        if (bytes.byteSize() != want) {
            throw new IllegalArgumentException(dtype + shape.toString() + " needs " + want + " bytes, got " + bytes.byteSize());
        }
    }

    public static Tensor allocate(DType dtype, Shape shape, Arena arena) {
        return new Tensor(dtype, shape, arena.allocate(Math.ceilDiv(Math.multiplyExact(shape.elements(), (long) dtype.bits()), 8L), 64));
    }

    public long elements() {
        return shape.elements();
    }
}
