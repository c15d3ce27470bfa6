package io.llmc4j.formats.audit;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.kernel.Products;
import io.llmc4j.engine.linalg.Hadamard;
import io.llmc4j.engine.linalg.Rotation;
import io.llmc4j.engine.method.rotation.RotationRules;
import io.llmc4j.engine.method.rotation.StreamRotation;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.ModelEnds;
import io.llmc4j.engine.model.Norm;
import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.pipeline.ModelSource;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import java.util.Optional;

/**
 * Recognizes a rotated residual stream (QuaRot, SpinQuant): embedding E and head H became E Q and H diag(n) Q. The orthogonal Q that fits both best is the
 * orthogonal factor of Eᵀ E' + (H diag(n))ᵀ H' (Schönemann 1966); the original turned by it is what the layers are compared with.
 */
final class StreamTurn {

    /** Below this relative difference an embedding is the original's. */
    private static final double TURNED = 0.3;
    /** What conversion to 16 bits may leave. */
    private static final double FITS = 0.03;
    private static final int PANEL = 2048;
    private static final int ROWS = 1 << 15;

    private final StreamRotation rotation;
    private final ModelEnds ends;
    private final boolean layerNorms;

    private StreamTurn(StreamRotation rotation, ModelEnds ends, boolean layerNorms) {
        this.rotation = rotation;
        this.layerNorms = layerNorms;
        this.ends = ends;
    }

    /** Ends of the original, turned. */
    ModelEnds ends() {
        return ends;
    }

    boolean online() {
        return rotation.online();
    }

    /** The original's hidden states [tokens, hidden] as the turned model has them; models with layer norms lose their mean. */
    Matrix states(Matrix h) {
        return rotation.q().timesOnRight(layerNorms ? withoutMean(h) : h);
    }

    /** Gives the layers of a block of the quantized model the Hadamard transforms that their inputs need while the model runs. */
    Block withTransforms(Block quantized, Block original) {
        if (online()) {
            for (Linear l : turned(original).linears()) {
                l.inputRotation().ifPresent(r -> QuantizedModel.counterpart(quantized, l).ifPresent(q -> q.setInputRotation(r)));
                l.release();
            }
        }
        return quantized;
    }

    /** Turns a block of the original, in place. */
    Block turned(Block b) {
        rotation.block(b);
        return b;
    }

    static Optional<StreamTurn> find(ModelSource original, ModelSource quantized) {
        ModelEnds a = original.ends();
        ModelEnds b = quantized.ends();
        if (!a.embedding().shape().equals(b.embedding().shape()) || a.finalNorm().isEmpty() || relative(a.embedding(), b.embedding()) < TURNED) {
            return Optional.empty();
        }
        try {
            RotationRules.check(original.spec(), a, original.block(0), original.beside(), false);
        } catch (BadInput e) {
            return Optional.empty();
        }
        Tensor headA = a.head().orElse(a.embedding());
        Tensor headB = b.head().orElse(b.embedding());
        int n = Math.toIntExact(a.embedding().shape().dim(1));
        for (boolean removeMean : new boolean[]{false, true}) {
            Matrix m = new Matrix(n, n);
            addCross(a.embedding(), b.embedding(), x -> removeMean ? withoutMean(x) : x, m);
            if (headA.shape().equals(headB.shape())) {
                float[] gain = a.finalNorm().get().weight();
                addCross(headA, headB, x -> ExpectedWeights.columns(x, gain), m);
            }
            Optional<Rotation> r = orthogonalFactor(m).map(q -> new Rotation(n, q));
            if (r.isPresent()) {
                ModelEnds turned = new StreamRotation(r.get(), false).ends(a, removeMean);
                if (relative(turned.embedding(), b.embedding()) < FITS) {
                    return Optional.of(new StreamTurn(new StreamRotation(r.get(), online(original, quantized, r.get())), turned,
                            a.finalNorm().get().kind() == Norm.Kind.LAYER));
                }
            }
        }
        return Optional.empty();
    }

    /** Whether down projections were made for inputs that a Hadamard transform turns while the model runs. */
    private static boolean online(ModelSource original, ModelSource quantized, Rotation r) {
        Optional<Linear> down = original.block(0).linear(Role.DOWN);
        if (down.isEmpty() || !Hadamard.supports(down.get().in())) {
            return false;
        }
        try {
            RotationRules.check(original.spec(), original.ends(), original.block(0), original.beside(), true);
        } catch (BadInput e) {
            return false;
        }
        Matrix stored = quantized.block(0).linear(Role.DOWN).orElseThrow().weight();
        double[] error = new double[2];
        for (int i = 0; i < 2; i++) {
            Block b = original.block(0);
            new StreamRotation(r, i == 1).block(b);
            error[i] = MatrixError.relative(b.linear(Role.DOWN).orElseThrow().weight(), stored);
        }
        return error[1] < error[0];
    }

    private static double relative(Tensor a, Tensor b) {
        long rows = Math.min(ROWS, a.shape().dim(0));
        double error = 0;
        double signal = 0;
        for (long from = 0; from < rows; from += PANEL) {
            int n = (int) Math.min(PANEL, rows - from);
            float[] x = Tensors.toMatrix(a, from, n).data();
            float[] y = Tensors.toMatrix(b, from, n).data();
            for (int i = 0; i < x.length; i++) {
                double d = (double) y[i] - x[i];
                error += d * d;
                signal += (double) x[i] * x[i];
            }
        }
        return error == 0 ? 0 : Math.sqrt(error / signal);
    }

    /** What was done to the rows of a table before it was turned. It has to be the same here, or the product below is not symmetric times Q. */
    private interface Before {
        Matrix map(Matrix rows);
    }

    /** m += before(A)ᵀ B. */
    private static void addCross(Tensor a, Tensor b, Before before, Matrix m) {
        long rows = Math.min(ROWS, a.shape().dim(0));
        for (long from = 0; from < rows; from += PANEL) {
            int n = (int) Math.min(PANEL, rows - from);
            Products.transposeMultiply(before.map(Tensors.toMatrix(a, from, n)), Tensors.toMatrix(b, from, n), m, true);
        }
    }

    private static Matrix withoutMean(Matrix x) {
        Matrix out = new Matrix(x.rows(), x.cols());
        for (int r = 0; r < x.rows(); r++) {
            double sum = 0;
            for (int c = 0; c < x.cols(); c++) {
                sum += x.get(r, c);
            }
            for (int c = 0; c < x.cols(); c++) {
                out.set(r, c, (float) (x.get(r, c) - sum / x.cols()));
            }
        }
        return out;
    }

    /** X to (X + X⁻ᵀ) / 2 until it is orthogonal, scaled so that it gets there fast (Higham 1986); empty when singular. */
    private static Optional<double[]> orthogonalFactor(Matrix m) {
        int n = m.rows();
        double[] x = new double[n * n];
        for (int i = 0; i < x.length; i++) {
            x[i] = m.data()[i];
        }
        for (int step = 0; step < 60; step++) {
            Optional<double[]> inverse = inverse(x, n);
            if (inverse.isEmpty()) {
                return Optional.empty();
            }
            double[] y = inverse.get();
            double gamma = Math.sqrt(norm(y) / norm(x));
            double moved = 0;
            for (int i = 0; i < n; i++) {
                for (int j = 0; j < n; j++) {
                    double next = 0.5 * (gamma * x[i * n + j] + y[j * n + i] / gamma);
                    moved = Math.max(moved, Math.abs(next - x[i * n + j]));
                    x[i * n + j] = next;
                }
            }
            if (moved < 1e-12) {
                return Optional.of(x);
            }
        }
        return Optional.of(x);
    }

    private static double norm(double[] x) {
        double s = 0;
        for (double v : x) {
            s += v * v;
        }
        return Math.sqrt(s);
    }

    /** Gauss and Jordan with row pivots. */
    private static Optional<double[]> inverse(double[] matrix, int n) {
        double[] a = matrix.clone();
        double[] b = new double[n * n];
        for (int i = 0; i < n; i++) {
            b[i * n + i] = 1;
        }
        for (int k = 0; k < n; k++) {
            int pivot = k;
            for (int i = k + 1; i < n; i++) {
                pivot = Math.abs(a[i * n + k]) > Math.abs(a[pivot * n + k]) ? i : pivot;
            }
            double p = a[pivot * n + k];
            if (p == 0 || p != p) {
                return Optional.empty();
            }
            for (int j = 0; j < n; j++) {
                double t = a[k * n + j];
                a[k * n + j] = a[pivot * n + j] / p;
                a[pivot * n + j] = pivot == k ? a[k * n + j] : t;
                t = b[k * n + j];
                b[k * n + j] = b[pivot * n + j] / p;
                b[pivot * n + j] = pivot == k ? b[k * n + j] : t;
            }
            int column = k;
            Parallel.forRange(n, Math.max(1, 65536 / n), (from, to) -> {
                for (int i = from; i < to; i++) {
                    double f = a[i * n + column];
                    if (i == column || f == 0) {
                        continue;
                    }
                    for (int j = 0; j < n; j++) {
                        a[i * n + j] -= f * a[column * n + j];
                        b[i * n + j] -= f * b[column * n + j];
                    }
                }
            });
        }
        return Optional.of(b);
    }
}
