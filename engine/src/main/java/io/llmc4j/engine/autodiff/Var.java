package io.llmc4j.engine.autodiff;

import io.llmc4j.engine.tensor.Matrix;

/**
 * A value on a {@link Tape} with, where asked for, the gradient of the loss by it. Leaves are inputs (no gradient) and parameters
 * (their gradient stays until {@link #zeroGradient}); everything else belongs to the tape and is gone at its reset.
 */
public final class Var {

    private final Tape tape;
    private final Matrix value;
    private final boolean needsGradient;
    private final Var viewed;
    private Matrix gradient;

    Var(Tape tape, Matrix value, boolean needsGradient, Var viewed) {
        this.tape = tape;
        this.value = value;
        this.needsGradient = needsGradient;
        this.viewed = viewed;
    }

    /** A parameter that outlives tapes: training updates its value in place. */
    public static Var parameter(Matrix value) {
        return new Var(null, value, true, null);
    }

    /** A constant. */
    public static Var input(Matrix value) {
        return new Var(null, value, false, null);
    }

    public Matrix value() {
        return value;
    }

    public boolean needsGradient() {
        return needsGradient;
    }

    public int rows() {
        return value.rows();
    }

    public int cols() {
        return value.cols();
    }

    /** The gradient so far, same shape as the value; zeros when nothing has reached it. */
    public Matrix gradient() {
        if (!needsGradient) {
            throw new IllegalStateException("a constant has no gradient");
        }
        if (gradient == null) {
            if (viewed != null) {
                gradient = new Matrix(value.rows(), value.cols(), viewed.gradient().data());
            } else {
                gradient = tape == null ? new Matrix(value.rows(), value.cols()) : tape.buffer(value.rows(), value.cols());
            }
        }
        return gradient;
    }

    /** Whether any operation has put something into the gradient. */
    boolean reached() {
        return gradient != null || viewed != null && viewed.reached();
    }

    public void zeroGradient() {
        if (gradient != null) {
            java.util.Arrays.fill(gradient.data(), 0f);
        }
    }
}
