package io.llmc4j.engine.quant;

import io.llmc4j.engine.tensor.Matrix;

/**
 * The real codes of a weight [rows, cols]: what an export packs and a reader gives back.
 *
 * @param codes      [rows * cols], one byte a code: signed two's complement when the integer grid has qmin below 0, unsigned otherwise;
 *                   the bit pattern (sign highest) for float grids. Columns in the weight's own order, always.
 * @param scales     multipliers, [rows * groups] row-major (per channel: one group; per tensor: one element; per block:
 *                   [ceil(rows / block rows) * ceil(cols / block cols)])
 * @param zeros      zero points, as scales; length 0 when symmetric (all zero)
 * @param columnGroup the group of each column where groups are not contiguous (act-order); length 0 when column c is in group c / size
 * @param tensorScale second-level float32 scale (NVFP4: value = code * (scale / tensorScale)); 1 elsewhere
 */
public record QuantizedMatrix(QuantScheme scheme, int rows, int cols, byte[] codes, float[] scales, float[] zeros, int[] columnGroup, float tensorScale) {

    public QuantizedMatrix {
        if ((long) rows * cols != codes.length) {
            throw new IllegalArgumentException(rows + " x " + cols + " with " + codes.length + " codes");
        }
        if (zeros.length != 0 && zeros.length != scales.length) {
            throw new IllegalArgumentException(scales.length + " scales with " + zeros.length + " zero points");
        }
        if (columnGroup.length != 0 && columnGroup.length != cols) {
            throw new IllegalArgumentException(cols + " columns with " + columnGroup.length + " column groups");
        }
    }

    /** Index into {@link #scales} of element (row, col). */
    public int rangeOf(int row, int col) {
        int size = scheme.granularity().size();
        return switch (scheme.granularity().kind()) {
            case PER_TENSOR -> 0;
            case PER_CHANNEL, PER_TOKEN -> row;
            case PER_GROUP -> row * groups() + (columnGroup.length == 0 ? Math.min(col / size, groups() - 1) : columnGroup[col]);
            case PER_BLOCK -> {
                int width = scheme.granularity().width();
                yield (row / size) * ((cols + width - 1) / width) + col / width;
            }
            case PER_HEAD -> (int) (((long) row * cols + col) / ((long) rows * cols / size));
        };
    }

    /** Groups of one row (1 where the granularity is not per group). */
    public int groups() {
        return scheme.granularity().kind() == Granularity.Kind.PER_GROUP ? scales.length / rows : 1;
    }

    /** Code at (row, col) as an integer (integer grids: its value; float grids: its bit pattern). */
    public int code(int row, int col) {
        byte b = codes[row * cols + col];
        boolean signed = scheme.format() instanceof NumberFormat.Int i && i.qmin() < 0;
        return signed ? b : b & 0xff;
    }

    /** (code - zero) * (scale / tensorScale) in float32, [rows, cols]. */
    public Matrix dequantize() {
        return Dequantizer.dequantize(this);
    }
}
