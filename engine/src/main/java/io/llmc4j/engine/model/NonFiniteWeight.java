package io.llmc4j.engine.model;

import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.tensor.Matrix;
import java.util.concurrent.atomic.AtomicBoolean;

/** A stored weight holds a NaN or an infinity. Whoever knows the model's names makes an error of it that a user can read. */
public final class NonFiniteWeight extends RuntimeException {

    private static final int GRAIN = 1 << 18;

    private final String layer;

    private NonFiniteWeight(String layer, String message) {
        super(message);
        this.layer = layer;
    }

    /** Name within the block. */
    public String layer() {
        return layer;
    }

    /** Throws one when a value is not finite. */
    static void check(String layer, Matrix m) {
        float[] w = m.data();
        AtomicBoolean odd = new AtomicBoolean();
        Parallel.forRange(w.length, GRAIN, (from, to) -> {
            if (!Float.isFinite(Kernels.get().absMax(to - from, w, from))) {
                odd.set(true);
            }
        });
        if (!odd.get()) {
            return;
        }
        int at = 0;
        while (Float.isFinite(w[at])) {
            at++;
        }
        throw new NonFiniteWeight(layer, "weight [" + m.rows() + ", " + m.cols() + "] holds " + w[at] + " at [" + at / m.cols() + ", " + at % m.cols() + "]");
    }
}
