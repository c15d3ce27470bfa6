package io.llmc4j.engine.quant;

import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.kernel.StoredFloats;
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
            Parallel.forRange(layout.segments(), layout.grain(), (first, end) -> {
                for (int s = first; s < end; s++) {
                    int r = layout.range(s);
                    int from = layout.start(s);
                    if (q.scheme().format() instanceof NumberFormat.Int f) {
                        StoredFloats.get().codesToFloats(layout.length(s), q.codes(), from, f.qmin() < 0, p.zero(r), p.scale(r), m.data(), from);
                    } else {
                        run(values, q.codes(), from, from + layout.length(s), p.zero(r), p.scale(r), m.data());
                    }
                }
            });
        } else {
            Parallel.forRange(q.rows(), (first, end) -> {
                for (int row = first; row < end; row++) {
                    for (int c = 0; c < q.cols(); c++) {
                        int r = q.rangeOf(row, c);
                        int i = row * q.cols() + c;
                        m.data()[i] = (values[q.codes()[i] & 0xff] - p.zero(r)) * p.scale(r);
                    }
                }
            });
        }
        return m;
    }

    private static void run(float[] values, byte[] codes, int from, int to, float zero, float scale, float[] out) {
        for (int i = from; i < to; i++) {
            out[i] = (values[codes[i] & 0xff] - zero) * scale;
        }
    }

    private static Grid grid(QuantScheme scheme) {
        return switch (scheme.format()) {
            case NumberFormat.Int f -> new IntegerGrid(f, scheme.roundZeroPoint());
            case NumberFormat.Float f -> FloatGrid.of(f);
            case NumberFormat.Int4OverInt8 f -> throw new IllegalArgumentException("no real codes: " + f);
        };
    }
}
