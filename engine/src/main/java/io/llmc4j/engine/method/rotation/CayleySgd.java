package io.llmc4j.engine.method.rotation;

import io.llmc4j.engine.kernel.Products;
import io.llmc4j.engine.linalg.Rotation;
import io.llmc4j.engine.tensor.Matrix;

/**
 * Gradient descent on orthogonal matrices by the Cayley transform (Li, Fuxin and Todorovic, arXiv 2002.01113, algorithm 1), as SpinQuant uses it: no momentum,
 * five fixed-point iterations, and a return to orthogonality in double after every step.
 */
public final class CayleySgd {

    private static final int ITERATIONS = 5;

    private CayleySgd() {
    }

    /** One step on X [n, n], in place; {@code gradient} is dL/dX. */
    public static void step(Matrix x, Matrix gradient, double learningRate) {
        int n = x.rows();
        Matrix xt = x.transpose();
        // The parameter of the algorithm is Xᵀ: its rows are what is kept orthonormal.
        Matrix v = scaled(gradient.transpose(), -1f);
        Matrix m = Products.multiply(v, x);
        Matrix half = Products.multiply(xt, Products.multiply(x, m));
        Matrix w = new Matrix(n, n);
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < n; j++) {
                w.set(i, j, m.get(i, j) - 0.5f * half.get(i, j) - (m.get(j, i) - 0.5f * half.get(j, i)));
            }
        }
        float a = (float) Math.min(learningRate, 1 / (columnSum(w) + 1e-8));
        Matrix y = plus(xt, v, a);
        for (int i = 0; i < ITERATIONS; i++) {
            Matrix mean = scaled(plus(xt, y, 1f), 0.5f);
            y = plus(xt, Products.multiply(w, mean), a);
        }
        retract(y.transpose(), x);
    }

    /** The orthogonal matrix nearest in the sense of QR, written to {@code out}. */
    private static void retract(Matrix x, Matrix out) {
        int n = x.rows();
        double[] a = new double[n * n];
        for (int i = 0; i < a.length; i++) {
            a[i] = x.data()[i];
        }
        double[] q = Rotation.orthogonalFactor(n, a).q();
        for (int i = 0; i < a.length; i++) {
            out.data()[i] = (float) q[i];
        }
    }

    private static double columnSum(Matrix w) {
        double most = 0;
        for (int c = 0; c < w.cols(); c++) {
            double sum = 0;
            for (int r = 0; r < w.rows(); r++) {
                sum += Math.abs(w.get(r, c));
            }
            most = Math.max(most, sum);
        }
        return most;
    }

    private static Matrix scaled(Matrix a, float by) {
        Matrix out = new Matrix(a.rows(), a.cols());
        for (int i = 0; i < out.data().length; i++) {
            out.data()[i] = a.data()[i] * by;
        }
        return out;
    }

    private static Matrix plus(Matrix a, Matrix b, float by) {
        Matrix out = new Matrix(a.rows(), a.cols());
        for (int i = 0; i < out.data().length; i++) {
            out.data()[i] = a.data()[i] + by * b.data()[i];
        }
        return out;
    }
}
