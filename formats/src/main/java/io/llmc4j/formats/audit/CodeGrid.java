package io.llmc4j.formats.audit;

import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.quant.RangeRule;
import io.llmc4j.engine.quant.WeightRoundings;
import io.llmc4j.engine.tensor.Matrix;
import java.util.Optional;

/** Stored codes opened for recomputation: what each code is worth, and which range it belongs to. */
final class CodeGrid {

    private final QuantizedMatrix codes;
    private final float[] values;
    private final int[] columnPart;
    private final int rowUnit;
    private final int rowStride;

    CodeGrid(QuantizedMatrix codes) {
        this.codes = codes;
        this.values = values(codes.scheme());
        Granularity g = codes.scheme().granularity();
        this.columnPart = new int[codes.cols()];
        for (int c = 0; c < columnPart.length; c++) {
            columnPart[c] = g.kind() == Granularity.Kind.PER_GROUP || g.kind() == Granularity.Kind.PER_BLOCK ? codes.rangeOf(0, c) : 0;
        }
        this.rowUnit = g.kind() == Granularity.Kind.PER_BLOCK ? g.size() : g.kind() == Granularity.Kind.PER_TENSOR ? Math.max(1, codes.rows()) : 1;
        this.rowStride = switch (g.kind()) {
            case PER_GROUP -> codes.groups();
            case PER_BLOCK -> Math.ceilDiv(codes.cols(), g.width());
            default -> 1;
        };
    }

    /** What each byte stands for, [256]. */
    private static float[] values(QuantScheme scheme) {
        byte[] all = new byte[256];
        for (int i = 0; i < 256; i++) {
            all[i] = (byte) i;
        }
        return new QuantizedMatrix(scheme.withGranularity(Granularity.PER_TENSOR), 1, 256, all, new float[]{1f}, new float[0], new int[0], 1f).dequantize().data();
    }

    QuantizedMatrix codes() {
        return codes;
    }

    int rows() {
        return codes.rows();
    }

    int cols() {
        return codes.cols();
    }

    int ranges() {
        return codes.scales().length;
    }

    int range(int row, int col) {
        return row / rowUnit * rowStride + columnPart[col];
    }

    /** The code at (row, col) as a number, before zero point and scale. */
    float value(int row, int col) {
        return values[codes.codes()[row * codes.cols() + col] & 0xff];
    }

    float zero(int range) {
        return codes.zeros().length == 0 ? 0f : codes.zeros()[range];
    }

    float scale(int range) {
        return codes.tensorScale() == 1f ? codes.scales()[range] : codes.scales()[range] / codes.tensorScale();
    }

    /** "row 3, group 0" and its kin. */
    String place(int range) {
        return switch (codes.scheme().granularity().kind()) {
            case PER_TENSOR -> "the whole weight";
            case PER_CHANNEL, PER_TOKEN -> "row " + range;
            case PER_GROUP -> "row " + range / rowStride + ", group " + range % rowStride;
            case PER_BLOCK -> "block row " + range / rowStride + ", block column " + range % rowStride;
            case PER_HEAD -> "head " + range;
        };
    }

    /** Smallest and largest number of the grid; NaN codes do not count. */
    float[] ends() {
        if (codes.scheme().format() instanceof NumberFormat.Int f) {
            return new float[]{f.qmin(), f.qmax()};
        }
        float top = 0;
        for (float v : values) {
            top = v > top ? v : top;
        }
        return new float[]{-top, top};
    }

    /** Distinct numbers of the grid. */
    int levels() {
        if (codes.scheme().format() instanceof NumberFormat.Int f) {
            return f.qmax() - f.qmin() + 1;
        }
        java.util.TreeSet<Float> distinct = new java.util.TreeSet<>();
        for (float v : values) {
            if (v == v) {
                distinct.add(v + 0f);
            }
        }
        return distinct.size();
    }

    /** Distinct numbers that occur, codes at either end, codes that are no number. */
    Usage usage() {
        long[] count = new long[256];
        for (byte b : codes.codes()) {
            count[b & 0xff]++;
        }
        float[] ends = ends();
        java.util.TreeSet<Float> distinct = new java.util.TreeSet<>();
        long saturated = 0;
        long outside = 0;
        for (int i = 0; i < 256; i++) {
            float v = values[i];
            if (count[i] == 0) {
                continue;
            }
            if (v != v || v < ends[0] || v > ends[1]) {
                outside += count[i];
            } else {
                distinct.add(v + 0f);
                saturated += v == ends[0] || v == ends[1] ? count[i] : 0;
            }
        }
        return new Usage(distinct.size(), saturated, outside);
    }

    /** @param outside codes that the grid does not have */
    record Usage(int used, long saturated, long outside) { }

    /** Plain rounding of a weight on this grid: the same cuts, ranges of its own by the rule; empty when the grid cannot be made again. */
    Optional<Matrix> plain(Matrix weight, RangeRule rule) {
        QuantScheme scheme = codes.scheme().withRange(rule).withStatic(false);
        if (codes.columnGroup().length == 0) {
            return Optional.of(Quantizer.of(scheme).fakeQuantize(weight));
        }
        int groups = codes.groups();
        int size = codes.cols() / groups;
        int[] order = new int[codes.cols()];
        int[] next = new int[groups];
        for (int c = 0; c < order.length; c++) {
            int g = codes.columnGroup()[c];
            if (next[g] == size) {
                // Groups of unequal sizes: contiguous ones serve as the measure.
                return Optional.of(Quantizer.of(scheme).fakeQuantize(weight));
            }
            order[g * size + next[g]++] = c;
        }
        return Optional.of(WeightRoundings.permuted(Quantizer.of(scheme), order).fakeQuantize(weight));
    }

    /** "int4 asymmetric, group 128". */
    static String label(QuantScheme s) {
        String format = switch (s.format()) {
            case NumberFormat.Int f -> "int" + f.bits() + (s.symmetric() ? " symmetric" : " asymmetric");
            case NumberFormat.Float f -> switch (s.scaleFormat()) {
                case FLOAT -> f.label();
                case E8M0, E8M0_ROUNDED -> "mx" + f.label();
                case E4M3_TWO_LEVEL -> "nv" + f.label();
            };
            case NumberFormat.Int4OverInt8 f -> "int4 over int8";
        };
        Granularity g = s.granularity();
        return format + switch (g.kind()) {
            case PER_TENSOR -> ", tensor";
            case PER_CHANNEL -> ", channel";
            case PER_TOKEN -> ", token";
            case PER_GROUP -> ", group " + g.size();
            case PER_HEAD -> ", " + g.size() + " heads";
            case PER_BLOCK -> ", block " + g.size() + "x" + g.width();
        };
    }
}
