package io.llmc4j.tornado;

/** A row-major part of an array: element (i, j) is {@code data[off + i * ld + j]}. */
public record Panel(float[] data, int off, int ld, int rows, int cols) {

    /** Rows and columns of this panel, as a panel. */
    public Panel part(int row, int rowCount, int col, int colCount) {
        return new Panel(data, Math.toIntExact(off + (long) row * ld + col), ld, rowCount, colCount);
    }

    public long elements() {
        return (long) rows * cols;
    }
}
