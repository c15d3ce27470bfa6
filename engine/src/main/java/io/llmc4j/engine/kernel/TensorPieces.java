package io.llmc4j.engine.kernel;

import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Stored tensors to float32 in parallel pieces: the values of {@link Tensors#toFloats}, with the current kernels and all threads. */
public final class TensorPieces {

    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    /** Elements staged at a time: the piece and its floats stay in the first-level cache. */
    private static final int PIECE = 4096;
    private static final int GRAIN = 1 << 18;
    private static final ThreadLocal<short[]> STAGED = ThreadLocal.withInitial(() -> new short[PIECE]);

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
        StoredFloats kernels = StoredFloats.get();
        boolean anyThread = t.bytes().isAccessibleBy(ANOTHER);
        Parallel.Range piece = (lo, hi) -> {
            if (t.dtype() == DType.BF16) {
                bf16(kernels, t.bytes(), from + lo, out, at + lo, hi - lo);
            } else {
                Tensors.toFloats(t, from + lo, out, at + lo, hi - lo);
            }
        };
        if (anyThread) {
            Parallel.forRange(count, GRAIN, piece);
        } else {
            piece.run(0, count);
        }
    }

    /** Never started: only to ask whether a segment is confined to its thread. */
    private static final Thread ANOTHER = Thread.ofPlatform().unstarted(() -> { });

    private static void bf16(StoredFloats kernels, MemorySegment bytes, long from, float[] out, int at, int count) {
        short[] raw = STAGED.get();
        for (int i = 0; i < count; i += PIECE) {
            int n = Math.min(PIECE, count - i);
            MemorySegment.copy(bytes, SHORT, (from + i) * 2, raw, 0, n);
            kernels.bf16ToFloats(n, raw, 0, out, at + i);
        }
    }
}
