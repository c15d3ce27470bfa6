package io.llmc4j.engine.kernel;

import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;

/** Stored tensors to float32 in parallel pieces: the values of {@link Tensors#toFloats}, with the current kernels and all threads. */
public final class TensorPieces {

    private static final int GRAIN = 1 << 18;

    private TensorPieces() {
    }

    /** A matrix of a tensor's last dimension as columns and all others as rows. */
    public static Matrix toMatrix(Tensor t) {
        int cols = t.shape().rank() == 0 ? 1 : Math.toIntExact(t.shape().dim(-1));
        int rows = cols == 0 ? 0 : Math.toIntExact(t.elements() / cols);
        Matrix m = new Matrix(rows, cols);
        toFloats(t, 0, m.data(), 0, m.data().length);
        return m;
    }

    /** Elements {@code from … from + count - 1} as float32 into {@code out} from {@code at}; the tensor's arena must be shared or global to use more threads. */
    public static void toFloats(Tensor t, long from, float[] out, int at, int count) {
        Parallel.Range piece = (lo, hi) -> Tensors.toFloats(t, from + lo, out, at + lo, hi - lo);
        if (Parallel.reaches(t.bytes())) {
            Parallel.forRange(count, GRAIN, piece);
        } else {
            piece.run(0, count);
        }
    }
}
