package io.llmc4j.formats.audit;

import io.llmc4j.engine.tensor.Matrix;

/** Sums of squares, range by range: where in a layer the error sits. */
final class RangeErrors {

    final double[] signal;
    final double[] error;
    final double[] plain;
    final int[] count;

    private RangeErrors(int ranges) {
        signal = new double[ranges];
        error = new double[ranges];
        plain = new double[ranges];
        count = new int[ranges];
    }

    /** @param plainlyRounded the reference rounded on the same grid */
    static RangeErrors of(CodeGrid grid, Matrix reference, Matrix stored, Matrix plainlyRounded) {
        RangeErrors e = new RangeErrors(grid.ranges());
        int cols = grid.cols();
        for (int r = 0; r < grid.rows(); r++) {
            for (int c = 0; c < cols; c++) {
                int i = r * cols + c;
                int at = grid.range(r, c);
                double w = reference.data()[i];
                double d = stored.data()[i] - w;
                double p = plainlyRounded.data()[i] - w;
                e.signal[at] += w * w;
                e.error[at] += d * d;
                e.plain[at] += p * p;
                e.count[at]++;
            }
        }
        return e;
    }

    /**
     * What plain rounding may be expected to cost in a range, squared: its own error, and at least a quarter of the layer's usual share, so that a lucky
     * range does not make an ordinary one look bad.
     */
    double[] expected() {
        double signals = 0;
        double plains = 0;
        for (int r = 0; r < signal.length; r++) {
            signals += signal[r];
            plains += plain[r];
        }
        double usual = signals == 0 ? 0 : plains / signals;
        double[] out = new double[signal.length];
        for (int r = 0; r < out.length; r++) {
            out[r] = Math.max(plain[r], 0.25 * usual * signal[r]);
        }
        return out;
    }
}
