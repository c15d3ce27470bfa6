package io.llmc4j.formats.export.gguf;

import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import java.util.Optional;
import java.util.function.Supplier;

/** Consecutive rows of a tensor that is to be written; a tensor is one of these or several (fused layers, stacked experts). */
public interface TensorPart {

    int rows();

    int cols();

    /** Rows {@code from} (inclusive) to {@code to} (exclusive), as float32. */
    Matrix read(int from, int to);

    /** Real codes of these rows, when they were quantized to a grid that a block type may hold as it is. */
    default Optional<QuantizedMatrix> codes() {
        return Optional.empty();
    }

    /**
     * What to encode where no block type holds the codes: these rows before they were rounded to the nearest code, since a second rounding only adds to the
     * first. Rounding that looks further than the nearest code (GPTQ) stays.
     */
    default TensorPart unrounded() {
        return this;
    }

    /** A stored tensor of any float type. */
    static TensorPart of(Tensor t) {
        int cols = Math.toIntExact(t.shape().dim(-1));
        int rows = Math.toIntExact(t.elements() / Math.max(1, cols));
        return new Stored(t, rows, cols);
    }

    static TensorPart of(float[] vector) {
        return of(new Matrix(1, vector.length, vector));
    }

    static TensorPart of(Matrix m) {
        return new Made(m.rows(), m.cols(), () -> m, Optional.empty(), Optional.empty());
    }

    /** A matrix that is asked for when it is written. */
    static TensorPart of(int rows, int cols, Supplier<Matrix> matrix) {
        return new Made(rows, cols, matrix, Optional.empty(), Optional.empty());
    }

    /**
     * The same with codes.
     *
     * @param before the matrix before it was rounded to the codes
     */
    static TensorPart of(int rows, int cols, Supplier<Matrix> matrix, Optional<QuantizedMatrix> codes, Supplier<Matrix> before) {
        return new Made(rows, cols, matrix, codes, Optional.of(before));
    }

    /** @param tensor of any rank; its last extent is the row */
    record Stored(Tensor tensor, int rows, int cols) implements TensorPart {
        @Override
        public Matrix read(int from, int to) {
            float[] out = new float[(to - from) * cols];
            Tensors.toFloats(tensor, (long) from * cols, out, 0, out.length);
            return new Matrix(to - from, cols, out);
        }
    }

    /** @param codes in the same row order as the matrix */
    record Made(int rows, int cols, Supplier<Matrix> matrix, Optional<QuantizedMatrix> codes, Optional<Supplier<Matrix>> before) implements TensorPart {
        @Override
        public TensorPart unrounded() {
            if (codes.isEmpty() || before.isEmpty() || !NearestCodes.are(codes.get(), before.get().get())) {
                return this;
            }
            return new Made(rows, cols, before.get(), Optional.empty(), Optional.empty());
        }

        @Override
        public Matrix read(int from, int to) {
            Matrix m = matrix.get();
            return from == 0 && to == rows ? m : m.rows(from, to);
        }
    }
}
