package io.llmc4j.engine.quant;

import io.llmc4j.engine.tensor.Matrix;

/** Taking columns out of a matrix and putting them back. */
final class Columns {

    private Columns() {
    }

    /** [rows, picked.length]: column j is column {@code picked[j]} of m. */
    static Matrix gather(Matrix m, int[] picked) {
        Matrix out = new Matrix(m.rows(), picked.length);
        for (int r = 0; r < m.rows(); r++) {
            int from = r * m.cols();
            int to = r * picked.length;
            for (int j = 0; j < picked.length; j++) {
                out.data()[to + j] = m.data()[from + picked[j]];
            }
        }
        return out;
    }

    /** Writes column j of {@code part} to column {@code picked[j]} of m. */
    static void scatter(Matrix part, int[] picked, Matrix m) {
        for (int r = 0; r < m.rows(); r++) {
            int from = r * picked.length;
            int to = r * m.cols();
            for (int j = 0; j < picked.length; j++) {
                m.data()[to + picked[j]] = part.data()[from + j];
            }
        }
    }
}
