package io.llmc4j.formats.export.gguf.arch;

import io.llmc4j.engine.tensor.Matrix;

/** Row order of queries and keys: between pairs as halves of a head and pairs as neighbours. Rows beyond the rotary ones stay. */
public final class RotaryOrder {

    private RotaryOrder() {
    }

    /**
     * For each new row the old one.
     *
     * @param dims         rotary features of a head
     * @param interleaving from halves to neighbours, or back
     */
    public static int[] rows(int rows, int headDim, int dims, boolean interleaving) {
        int[] from = new int[rows];
        for (int r = 0; r < rows; r++) {
            int head = r / headDim * headDim;
            int i = r % headDim;
            from[r] = i >= dims ? r : head + (interleaving ? i / 2 + (i % 2) * (dims / 2) : i < dims / 2 ? 2 * i : 2 * (i - dims / 2) + 1);
        }
        return from;
    }

    public static Matrix permute(Matrix m, int[] from) {
        Matrix out = new Matrix(m.rows(), m.cols());
        for (int r = 0; r < from.length; r++) {
            System.arraycopy(m.data(), from[r] * m.cols(), out.data(), r * m.cols(), m.cols());
        }
        return out;
    }

    /** A bias; length 0 stays. */
    public static float[] permute(float[] v, int[] from) {
        float[] out = new float[v.length];
        for (int i = 0; i < v.length; i++) {
            out[i] = v[from[i]];
        }
        return out;
    }
}
