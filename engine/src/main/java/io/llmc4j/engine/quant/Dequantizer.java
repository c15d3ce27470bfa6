package io.llmc4j.engine.quant;

import io.llmc4j.engine.tensor.Matrix;

/** Codes back to float32. */
final class Dequantizer {

    private Dequantizer() {
    }

    /** (value(code) - zero) * (scale / tensorScale), by a table of the 256 bytes. */
    static Matrix dequantize(QuantizedMatrix q) {
        float[] values = grid(q.scheme()).values();
        QuantParams p = new QuantParams(q.scales(), q.zeros(), q.tensorScale(), new float[0]);
        Matrix m = new Matrix(q.rows(), q.cols());
        if (q.columnGroup().length == 0) {
            RangeLayout layout = RangeLayout.of(q.scheme().granularity(), q.rows(), q.cols());
            for (int s = 0; s < layout.segments(); s++) {
                int r = layout.range(s);
                float scale = p.scale(r);
                float zero = p.zero(r);
                int from = layout.start(s);
                for (int i = from; i < from + layout.length(s); i++) {
                    m.data()[i] = (values[q.codes()[i] & 0xff] - zero) * scale;
                }
            }
        } else {
            for (int row = 0; row < q.rows(); row++) {
                for (int c = 0; c < q.cols(); c++) {
                    int r = q.rangeOf(row, c);
                    int i = row * q.cols() + c;
                    m.data()[i] = (values[q.codes()[i] & 0xff] - p.zero(r)) * p.scale(r);
                }
            }
        }
        return m;
    }

    private static Grid grid(QuantScheme scheme) {
        return switch (scheme.format()) {
            case NumberFormat.Int f -> new IntegerGrid(f, scheme.roundZeroPoint());
            case NumberFormat.Float f -> FloatGrid.of(f);
            case NumberFormat.Int4OverInt8 f -> throw new IllegalArgumentException("no real codes: " + f);
        };
    }
}
