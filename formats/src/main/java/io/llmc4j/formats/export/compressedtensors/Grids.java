package io.llmc4j.formats.export.compressedtensors;

import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.tensor.Shape;

/** Shapes of scale tensors, and blocks that are not square. */
final class Grids {

    private Grids() {
    }

    /** [1], [rows, 1], [rows, groups] or the grid of blocks. */
    static Shape scaleShape(QuantizedMatrix q) {
        Granularity g = q.scheme().granularity();
        return switch (g.kind()) {
            case PER_TENSOR -> new Shape(1);
            case PER_BLOCK -> new Shape(Math.ceilDiv(q.rows(), g.size()), Math.ceilDiv(q.cols(), g.size()));
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

    /** The scales of [blockRows, blockCols] blocks, repeated for the squares that they are made of. */
    static float[] squares(QuantArgs a, int rows, int cols, float[] scales) {
        if (!a.strategy().equals("block") || a.blockRows() == a.blockCols()) {
            return scales;
        }
        int edge = a.edge();
        int down = Math.ceilDiv(rows, edge);
        int across = Math.ceilDiv(cols, edge);
        int wide = Math.ceilDiv(cols, a.blockCols());
        float[] out = new float[Math.multiplyExact(down, across)];
        for (int r = 0; r < down; r++) {
            for (int c = 0; c < across; c++) {
                out[r * across + c] = scales[r * edge / a.blockRows() * wide + c * edge / a.blockCols()];
            }
        }
        return out;
    }
}
