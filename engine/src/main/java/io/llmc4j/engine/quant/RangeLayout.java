package io.llmc4j.engine.quant;

import io.llmc4j.engine.BadInput;

/**
 * Where the ranges of a row-major [rows, cols] matrix lie (spec 1.2). The data is walked in segments: contiguous runs that belong to one
 * range, so that the inner loops see arrays and two numbers, whatever the granularity.
 *
 * <p>Ranges are numbered row-major: (row 0, group 0), (row 0, group 1), … ; per block (block row 0, block column 0), … .
 */
public final class RangeLayout {

    /** Elements of one parallel task, about. */
    private static final int TASK = 1 << 14;

    private final Granularity.Kind kind;
    private final int size;
    private final int rows;
    private final int cols;
    /** Elements of a segment (per block: of a full one, its width). */
    private final int length;
    private final int segments;
    private final int ranges;
    /** Per block only: segments of one row. */
    private final int tiles;

    private RangeLayout(Granularity g, int rows, int cols, int length, int segments, int ranges, int tiles) {
        this.kind = g.kind();
        this.size = g.size();
        this.rows = rows;
        this.cols = cols;
        this.length = length;
        this.segments = segments;
        this.ranges = ranges;
        this.tiles = tiles;
    }

    /** Throws BadInput (CONFIG) when the group size or the number of heads does not divide. A row shorter than its group is one range. */
    public static RangeLayout of(Granularity g, int rows, int cols) {
        int size = g.size();
        return switch (g.kind()) {
            case PER_TENSOR -> new RangeLayout(g, rows, cols, cols, rows, 1, 1);
            case PER_CHANNEL, PER_TOKEN -> new RangeLayout(g, rows, cols, cols, rows, rows, 1);
            case PER_GROUP -> {
                int length = Math.min(size, cols);
                if (length > 0 && cols % length != 0) {
                    throw BadInput.of(BadInput.Common.CONFIG, "group_size %d does not divide rows of %d values (%d groups and %d left); "
                            + "use a group_size that divides it, or per_channel", size, cols, cols / size, cols % size);
                }
                int count = length == 0 ? 0 : rows * (cols / length);
                yield new RangeLayout(g, rows, cols, length, count, count, 1);
            }
            case PER_HEAD -> {
                if ((long) rows * cols % size != 0) {
                    throw BadInput.of(BadInput.Common.CONFIG, "head_num %d does not divide the %d values of a [%d, %d] matrix", size,
                            (long) rows * cols, rows, cols);
                }
                yield new RangeLayout(g, rows, cols, rows * cols / size, size, size, 1);
            }
            case PER_BLOCK -> {
                int across = (cols + g.width() - 1) / g.width();
                yield new RangeLayout(g, rows, cols, g.width(), rows * across, ((rows + size - 1) / size) * across, across);
            }
        };
    }

    /** Number of ranges, which is the number of scales. */
    public int ranges() {
        return ranges;
    }

    public int segments() {
        return segments;
    }

    /** Offset of the segment's first element in the matrix. */
    public int start(int segment) {
        if (kind == Granularity.Kind.PER_BLOCK) {
            return (segment / tiles) * cols + (segment % tiles) * length;
        }
        return segment * length;
    }

    /** Elements of the segment. */
    public int length(int segment) {
        if (kind == Granularity.Kind.PER_BLOCK) {
            return Math.min(length, cols - (segment % tiles) * length);
        }
        return length;
    }

    /** The range that the segment belongs to. */
    public int range(int segment) {
        return switch (kind) {
            case PER_TENSOR -> 0;
            case PER_BLOCK -> (segment / tiles / size) * tiles + segment % tiles;
            default -> segment;
        };
    }

    /** Segments that make a task worth a thread. */
    int grain() {
        return Math.max(1, TASK / Math.max(1, length));
    }

    /** Whether every range is one contiguous run (not so per block). */
    public boolean contiguous() {
        return kind != Granularity.Kind.PER_BLOCK;
    }

    /** Elements of one contiguous range. */
    public int rangeLength() {
        return kind == Granularity.Kind.PER_TENSOR ? rows * cols : length;
    }

    int rows() {
        return rows;
    }

    int cols() {
        return cols;
    }
}
