package io.llmc4j.engine.method;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.linalg.Cholesky;
import io.llmc4j.engine.linalg.NotPositiveDefinite;
import io.llmc4j.engine.linalg.Precision;
import io.llmc4j.engine.tensor.Matrix;

/**
 * The damped inverse of a layer's Hessian as GPTQ and its kin walk it: U upper triangular, H⁻¹ = UᵀU, in the order of the columns.
 *
 * @param upper U [n, n]
 * @param order of the columns
 * @param dead  columns that were always zero
 * @param damping share of the mean diagonal that was added
 * @param raised  whether that is more than was asked for
 */
public record InverseHessian(Matrix upper, ColumnOrder order, boolean[] dead, double damping, boolean raised) {

    /** More damping than this and the Hessian says nothing any more. */
    private static final double LARGEST_DAMPING = 10;

    /**
     * Damps, factors, and where that fails damps ten times more.
     *
     * @param h     not changed
     * @param damping share of the mean diagonal
     * @param where for errors
     */
    public static InverseHessian of(Matrix h, ColumnOrder order, double damping, String where) {
        return of(h, order, damping, Precision.FLOAT64, where);
    }

    /** @param precision of the factorisation; LLMC's is float32, which decides ties that are closer than its rounding */
    public static InverseHessian of(Matrix h, ColumnOrder order, double damping, Precision precision, String where) {
        return damped(h, new Matrix(h.rows(), h.rows()), order, damping, precision, where);
    }

    /** As {@link #of(Matrix, ColumnOrder, double, Precision, String)}; {@code h} is used up where the order allows it, so that a wide layer takes less memory. */
    static InverseHessian consuming(Matrix h, ColumnOrder order, double damping, Precision precision, String where) {
        return damped(h, order.isNatural() ? h : new Matrix(h.rows(), h.rows()), order, damping, precision, where);
    }

    /** @param p where it is worked; {@code h} itself only in natural order */
    private static InverseHessian damped(Matrix h, Matrix p, ColumnOrder order, double damping, Precision precision, String where) {
        int n = h.rows();
        boolean[] dead = new boolean[n];
        for (int i = 0; i < n; i++) {
            dead[i] = h.get(i, i) == 0;
            if (!Float.isFinite(h.get(i, i))) {
                throw BadInput.of(BadInput.Common.DATA, "inputs of %s are not finite at feature %d; check the model (overflow in float16 weights?) and the calibration data",
                        where, i);
            }
        }
        int[] o = order.order();
        double sum = 0;
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < n; j++) {
                p.data()[i * n + j] = h.data()[o[i] * n + o[j]];
            }
            if (dead[o[i]]) {
                p.data()[i * n + i] = 1;
            }
            sum += p.data()[i * n + i];
        }
        double mean = sum / n;
        float added = 0;
        for (double d = damping; ; d = Math.max(d * 10, 1e-4)) {
            float total = (float) (d * mean);
            for (int i = 0; i < n; i++) {
                p.data()[i * n + i] += total - added;
            }
            added = total;
            try {
                return new InverseHessian(Cholesky.upperInverseFactor(p, precision, p), order, dead, d, d != damping);
            } catch (NotPositiveDefinite e) {
                if (d >= LARGEST_DAMPING) {
                    throw BadInput.of(BadInput.Common.DATA, "the Hessian of %s has no factor even with damping %s: its inputs are not finite or far out of range", where, d);
                }
            }
        }
    }

    public int deadColumns() {
        int n = 0;
        for (boolean b : dead) {
            n += b ? 1 : 0;
        }
        return n;
    }
}
