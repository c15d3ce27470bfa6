package io.llmc4j.formats.hf;

/**
 * Which rows of a stored module a part owns: row i of the part is row {@code first + (i / chunk) * stride + i % chunk} of the module.
 * That covers contiguous thirds, head-major triples, groups of query heads with their key and value, and interleaved gate and up.
 *
 * @param rows   rows of the part
 * @param chunk  contiguous rows of one stretch
 * @param stride from the start of one stretch to the next
 */
public record RowMap(int first, int rows, int chunk, int stride) {

    public RowMap {
        if (rows % chunk != 0) {
            throw new IllegalArgumentException(rows + " rows in stretches of " + chunk);
        }
    }

    public static RowMap contiguous(int first, int rows) {
        return new RowMap(first, rows, rows, rows);
    }

    /** Stretches of {@code chunk} rows at {@code first}, {@code first + stride}, …. */
    public static RowMap strided(int first, int count, int chunk, int stride) {
        return new RowMap(first, count * chunk, chunk, stride);
    }

    public int row(int i) {
        return first + i / chunk * stride + i % chunk;
    }

    public int stretches() {
        return rows / chunk;
    }

    /** Module row at which a stretch starts. */
    public int start(int stretch) {
        return first + stretch * stride;
    }
}
