package io.llmc4j.formats.audit;

import io.llmc4j.engine.tensor.Matrix;

/**
 * How far a matrix is from its reference.
 *
 * @param relative ||x - r|| / ||r||, Frobenius; 0 when both are zero, infinite when only the reference is
 * @param max      largest |x - r|
 * @param cosine   of the angle between the two as vectors; 0 when one is zero
 */
public record MatrixError(double relative, double max, double cosine) {

    /** Sums in double, element by element; throws IllegalArgumentException for other shapes. */
    public static MatrixError of(Matrix reference, Matrix x) {
        if (reference.rows() != x.rows() || reference.cols() != x.cols()) {
            throw new IllegalArgumentException(x + " against " + reference);
        }
        return of(reference.data(), x.data());
    }

    static MatrixError of(float[] r, float[] x) {
        double signal = 0;
        double error = 0;
        double dot = 0;
        double norm = 0;
        double max = 0;
        for (int i = 0; i < r.length; i++) {
            double d = (double) x[i] - r[i];
            signal += (double) r[i] * r[i];
            error += d * d;
            dot += (double) r[i] * x[i];
            norm += (double) x[i] * x[i];
            double a = Math.abs(d);
            max = a > max || a != a ? a : max;
        }
        double relative = error == 0 ? 0 : Math.sqrt(error / signal);
        double cosine = signal == 0 || norm == 0 ? 0 : dot / Math.sqrt(signal * norm);
        return new MatrixError(relative, max, cosine);
    }

    /** ||x - r|| / ||r|| alone. */
    static double relative(Matrix reference, Matrix x) {
        double signal = 0;
        double error = 0;
        float[] a = reference.data();
        float[] b = x.data();
        for (int i = 0; i < a.length; i++) {
            double d = (double) b[i] - a[i];
            signal += (double) a[i] * a[i];
            error += d * d;
        }
        return error == 0 ? 0 : Math.sqrt(error / signal);
    }

    /** Signal-to-noise ratio in decibels; infinite for equal matrices. */
    public double snr() {
        return -20 * Math.log10(relative);
    }
}
