package io.llmc4j.engine.quant;

import io.llmc4j.engine.tensor.Matrix;

/** Codes back to float32. */
final class Dequantizer {

    private Dequantizer() {
    }

    static Matrix dequantize(QuantizedMatrix q) {
        if (!q.scheme().isInteger()) {
            throw new UnsupportedOperationException("float grids");
        }
        Matrix m = new Matrix(q.rows(), q.cols());
        for (int r = 0; r < q.rows(); r++) {
            for (int c = 0; c < q.cols(); c++) {
                int g = q.rangeOf(r, c);
                float zero = q.zeros().length == 0 ? 0f : q.zeros()[g];
                m.set(r, c, (q.code(r, c) - zero) * q.scales()[g]);
            }
        }
        return m;
    }
}
