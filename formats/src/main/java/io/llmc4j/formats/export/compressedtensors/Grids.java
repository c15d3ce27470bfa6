package io.llmc4j.formats.export.compressedtensors;

import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.tensor.Shape;

/** Shapes of scale tensors. */
final class Grids {

    private Grids() {
    }

    /** [1], [rows, 1], [rows, groups] or the grid of blocks. */
    static Shape scaleShape(QuantizedMatrix q) {
        Granularity g = q.scheme().granularity();
        return switch (g.kind()) {
            case PER_TENSOR -> new Shape(1);
            case PER_BLOCK -> new Shape(Math.ceilDiv(q.rows(), g.size()), Math.ceilDiv(q.cols(), g.width()));
            default -> new Shape(q.rows(), q.scales().length / q.rows());
        };
    }

    /** Number of scales of a [rows, cols] weight under these arguments. */
    static long scales(QuantArgs a, int rows, int cols) {
        return switch (a.strategy()) {
            case "tensor" -> 1;
            case "channel" -> rows;
            case "group", "tensor_group" -> (long) rows * Math.ceilDiv(cols, a.groupSize());
            case "block" -> (long) Math.ceilDiv(rows, a.blockRows()) * Math.ceilDiv(cols, a.blockCols());
            default -> throw new IllegalArgumentException("weights with strategy " + a.strategy());
        };
    }
}
