package io.llmc4j.engine.linalg;

/** A matrix that should have a Cholesky factor has none: the caller decides whether to dampen, to report or to stop. */
public final class NotPositiveDefinite extends RuntimeException {

    private final int row;
    private final double pivot;

    NotPositiveDefinite(int row, int n, double pivot) {
        super("not positive definite: of the " + n + " x " + n + " matrix, row " + row + " (counted from 0) leaves the pivot " + pivot
                + " after the rows that were eliminated before it");
        this.row = row;
        this.pivot = pivot;
    }

    /** The row of the given matrix whose pivot is not above zero, or not a number. */
    public int row() {
        return row;
    }

    public double pivot() {
        return pivot;
    }
}
