package io.llmc4j.engine.autodiff;

import io.llmc4j.engine.kernel.Products;
import io.llmc4j.engine.tensor.Matrix;

/** Matrix products. */
public final class LinearOps {

    private LinearOps() {
    }

    /** y = x Wᵀ; x [T, in], w [out, in], y [T, out]. */
    public static Var linear(Tape tape, Var x, Var w) {
        Matrix y = tape.buffer(x.rows(), w.rows());
        Products.linear(x.value(), w.value(), y, false);
        return tape.record(y, x.needsGradient() || w.needsGradient(), dy -> {
            if (x.needsGradient()) {
                Products.multiply(dy, w.value(), x.gradient(), true);
            }
            if (w.needsGradient()) {
                Products.transposeMultiply(dy, x.value(), w.gradient(), true);
            }
        });
    }

    /** y = a b; a [m, k], b [k, n]. */
    public static Var multiply(Tape tape, Var a, Var b) {
        Matrix y = tape.buffer(a.rows(), b.cols());
        Products.multiply(a.value(), b.value(), y, false);
        return tape.record(y, a.needsGradient() || b.needsGradient(), dy -> {
            if (a.needsGradient()) {
                Products.linear(dy, b.value(), a.gradient(), true);
            }
            if (b.needsGradient()) {
                Products.transposeMultiply(a.value(), dy, b.gradient(), true);
            }
        });
    }

    /** y = aᵀ b; a [k, m], b [k, n]. */
    public static Var transposeMultiply(Tape tape, Var a, Var b) {
        Matrix y = tape.buffer(a.cols(), b.cols());
        Products.transposeMultiply(a.value(), b.value(), y, false);
        return tape.record(y, a.needsGradient() || b.needsGradient(), dy -> {
            if (a.needsGradient()) {
                Products.linear(b.value(), dy, a.gradient(), true);
            }
            if (b.needsGradient()) {
                Products.multiply(a.value(), dy, b.gradient(), true);
            }
        });
    }
}
