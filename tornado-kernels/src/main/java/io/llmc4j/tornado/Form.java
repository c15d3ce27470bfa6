package io.llmc4j.tornado;

import io.llmc4j.engine.kernel.Kernels;

/** Which factor of a product lies transposed. */
public enum Form {

    /** A[m, k] · B[n, k]ᵀ. */
    NT("product A Bᵀ"),
    /** A[m, k] · B[k, n]. */
    NN("product A B"),
    /** A[k, m]ᵀ · B[k, n]. */
    TN("product Aᵀ B");

    private final String title;

    Form(String title) {
        this.title = title;
    }

    public String title() {
        return title;
    }

    /** A as it is stored, for these rows of C and these k. */
    Panel a(Panel a, int row, int rows, int from, int count) {
        return this == TN ? a.part(from, count, row, rows) : a.part(row, rows, from, count);
    }

    /** B as it is stored, for these columns of C and these k. */
    Panel b(Panel b, int col, int cols, int from, int count) {
        return this == NT ? b.part(col, cols, from, count) : b.part(from, count, col, cols);
    }

    /** The length of the sums. */
    public int k(Panel a) {
        return this == TN ? a.rows() : a.cols();
    }

    /** The same product by these kernels. */
    public void by(Kernels kernels, Panel a, Panel b, Panel c, boolean accumulate) {
        int k = k(a);
        switch (this) {
            case NT -> kernels.gemmNT(c.rows(), c.cols(), k, a.data(), a.off(), a.ld(), b.data(), b.off(), b.ld(), c.data(), c.off(), c.ld(), accumulate);
            case NN -> kernels.gemmNN(c.rows(), c.cols(), k, a.data(), a.off(), a.ld(), b.data(), b.off(), b.ld(), c.data(), c.off(), c.ld(), accumulate);
            case TN -> kernels.gemmTN(c.rows(), c.cols(), k, a.data(), a.off(), a.ld(), b.data(), b.off(), b.ld(), c.data(), c.off(), c.ld(), accumulate);
        }
    }
}
