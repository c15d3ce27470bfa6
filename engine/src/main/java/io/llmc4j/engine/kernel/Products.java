package io.llmc4j.engine.kernel;

import io.llmc4j.engine.tensor.Matrix;

/** Products of whole matrices with the current kernels. Large ones use all threads; the bits do not depend on how many there are. */
public final class Products {

    private Products() {
    }

    /** x · Wᵀ: x [tokens, in], w [out, in], result [tokens, out]. */
    public static Matrix linear(Matrix x, Matrix w) {
        require(x.cols() == w.cols(), "x", x, "Wᵀ", w);
        Matrix y = new Matrix(x.rows(), w.rows());
        linear(x, w, y, false);
        return y;
    }

    /** y = x · Wᵀ, or y += x · Wᵀ. */
    public static void linear(Matrix x, Matrix w, Matrix y, boolean accumulate) {
        require(x.cols() == w.cols() && y.rows() == x.rows() && y.cols() == w.rows(), "x", x, "Wᵀ", w);
        Kernels.get().gemmNT(x.rows(), w.rows(), x.cols(), x.data(), 0, x.cols(), w.data(), 0, w.cols(), y.data(), 0, y.cols(), accumulate);
    }

    /** a · b: a [m, k], b [k, n]. */
    public static Matrix multiply(Matrix a, Matrix b) {
        Matrix c = new Matrix(a.rows(), b.cols());
        multiply(a, b, c, false);
        return c;
    }

    /** c = a · b, or c += a · b. */
    public static void multiply(Matrix a, Matrix b, Matrix c, boolean accumulate) {
        require(a.cols() == b.rows() && c.rows() == a.rows() && c.cols() == b.cols(), "a", a, "b", b);
        Kernels.get().gemmNN(a.rows(), b.cols(), a.cols(), a.data(), 0, a.cols(), b.data(), 0, b.cols(), c.data(), 0, c.cols(), accumulate);
    }

    /** aᵀ · b: a [k, m], b [k, n]. */
    public static Matrix transposeMultiply(Matrix a, Matrix b) {
        Matrix c = new Matrix(a.cols(), b.cols());
        transposeMultiply(a, b, c, false);
        return c;
    }

    /** c = aᵀ · b, or c += aᵀ · b. */
    public static void transposeMultiply(Matrix a, Matrix b, Matrix c, boolean accumulate) {
        require(a.rows() == b.rows() && c.rows() == a.cols() && c.cols() == b.cols(), "aᵀ", a, "b", b);
        Kernels.get().gemmTN(a.cols(), b.cols(), a.rows(), a.data(), 0, a.cols(), b.data(), 0, b.cols(), c.data(), 0, c.cols(), accumulate);
    }

    /** xᵀ · x: x [rows, n], result [n, n], symmetric to the last bit. */
    public static Matrix gram(Matrix x) {
        Matrix h = new Matrix(x.cols(), x.cols());
        addGram(x, h);
        return h;
    }

    /** h += xᵀ · x. */
    public static void addGram(Matrix x, Matrix h) {
        require(h.rows() == x.cols() && h.cols() == x.cols(), "x", x, "h", h);
        Kernels.get().syrk(x.rows(), x.cols(), x.data(), 0, x.cols(), h.data(), h.cols());
    }

    private static void require(boolean fits, String aName, Matrix a, String bName, Matrix b) {
        if (!fits) {
            throw new IllegalArgumentException("shapes do not fit: " + aName + " of " + a + ", " + bName + " of " + b);
        }
    }
}
