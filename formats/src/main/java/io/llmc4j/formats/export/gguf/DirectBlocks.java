package io.llmc4j.formats.export.gguf;

import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.formats.export.gguf.block.GgmlType;

/**
 * Codes that a method chose, put into blocks as they are instead of being rounded once more: integer groups of 32 (or a multiple) are
 * Q4_0, Q5_0 and Q8_0 when their zero point is the middle, Q4_1 and Q5_1 in any case. Only scales (and offsets) are rounded, to half
 * precision.
 */
final class DirectBlocks {

    private static final int BLOCK = 32;

    private DirectBlocks() {
    }

    /** Whether every code of this matrix has a place in the type. */
    static boolean fits(QuantizedMatrix q, GgmlType type) {
        if (!(q.scheme().format() instanceof NumberFormat.Int) || q.columnGroup().length != 0 || q.tensorScale() != 1f || !groupsOfBlocks(q)) {
            return false;
        }
        boolean centred = type == GgmlType.Q4_0 || type == GgmlType.Q5_0 || type == GgmlType.Q8_0;
        int low = switch (type) {
            case Q4_0 -> -8;
            case Q5_0 -> -16;
            case Q8_0 -> -128;
            case Q4_1, Q5_1 -> 0;
            default -> 1;
        };
        if (low > 0) {
            return false;
        }
        int high = switch (type) {
            case Q4_0 -> 7;
            case Q5_0, Q4_1 -> 15;
            case Q8_0 -> 127;
            default -> 31;
        };
        for (int r = 0; r < q.rows(); r++) {
            for (int c = 0; c < q.cols(); c++) {
                float level = centred ? q.code(r, c) - zero(q, q.rangeOf(r, c)) : q.code(r, c) - lowest(q);
                if (!(level >= low && level <= high) || level != (int) level) {
                    return false;
                }
            }
        }
        return true;
    }

    private static boolean groupsOfBlocks(QuantizedMatrix q) {
        return switch (q.scheme().granularity().kind()) {
            case PER_GROUP -> q.scheme().granularity().size() % BLOCK == 0;
            case PER_CHANNEL, PER_TENSOR -> true;
            default -> false;
        };
    }

    private static float zero(QuantizedMatrix q, int range) {
        return q.zeros().length == 0 ? 0f : q.zeros()[range];
    }

    private static int lowest(QuantizedMatrix q) {
        return ((NumberFormat.Int) q.scheme().format()).qmin();
    }

    /** One row. */
    static void encode(QuantizedMatrix q, int row, GgmlType type, byte[] out, int outOff) {
        boolean centred = type == GgmlType.Q4_0 || type == GgmlType.Q5_0 || type == GgmlType.Q8_0;
        int middle = type == GgmlType.Q4_0 ? 8 : type == GgmlType.Q5_0 ? 16 : 0;
        for (int b = 0; b < q.cols() / BLOCK; b++) {
            int range = q.rangeOf(row, b * BLOCK);
            int at = outOff + b * type.bytes();
            at = half(out, at, q.scales()[range]);
            if (!centred) {
                at = half(out, at, (lowest(q) - zero(q, range)) * q.scales()[range]);
            }
            int offset = centred ? middle - (int) zero(q, range) : -lowest(q);
            write(q, row, b * BLOCK, offset, type, out, at);
        }
    }

    private static int half(byte[] out, int at, float v) {
        short bits = Float.floatToFloat16(v);
        out[at] = (byte) bits;
        out[at + 1] = (byte) (bits >> 8);
        return at + 2;
    }

    private static void write(QuantizedMatrix q, int row, int col, int offset, GgmlType type, byte[] out, int at) {
        if (type == GgmlType.Q8_0) {
            for (int j = 0; j < BLOCK; j++) {
                out[at + j] = (byte) (q.code(row, col + j) + offset);
            }
            return;
        }
        int nibbles = at;
        if (type == GgmlType.Q5_0 || type == GgmlType.Q5_1) {
            int high = 0;
            for (int j = 0; j < BLOCK; j++) {
                high |= (q.code(row, col + j) + offset >> 4 & 1) << j;
            }
            for (int i = 0; i < 4; i++) {
                out[at + i] = (byte) (high >> 8 * i);
            }
            nibbles += 4;
        }
        for (int j = 0; j < BLOCK / 2; j++) {
            out[nibbles + j] = (byte) ((q.code(row, col + j) + offset & 15) | (q.code(row, col + j + BLOCK / 2) + offset & 15) << 4);
        }
    }
}
