package io.llmc4j.engine.model;

import io.llmc4j.engine.kernel.FloatMath;
import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.kernel.Products;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import java.util.Arrays;

/** Final norm and head. The head's tensor stays mapped and is walked in panels of rows, so its size does not matter. */
final class Head {

    /** Vocabulary entries of one panel. */
    private static final int PANEL = 4096;
    /** Positions whose logits of a panel are in memory together where only their sums are wanted. */
    private static final int ROWS = 2048;

    /** Receives logits [rows, n] of vocabulary entries from {@code from} on. */
    interface PanelSink {
        void accept(int from, Matrix panel);
    }

    private final ModelSpec spec;
    private final ModelEnds ends;
    private final Tensor weight;

    Head(ModelSpec spec, ModelEnds ends) {
        this.spec = spec;
        this.ends = ends;
        this.weight = ends.head().orElse(ends.embedding());
    }

    int vocabulary() {
        return Math.toIntExact(weight.shape().dim(0));
    }

    /** From the last block's states to what the head multiplies. */
    Matrix input(Matrix last) {
        Matrix x = ends.finalNorm().isPresent() ? ends.finalNorm().get().apply(last) : last;
        return ends.projectOut().isPresent() ? Products.linear(x, ends.projectOut().get()) : x;
    }

    void panels(Matrix x, PanelSink sink) {
        for (int from = 0; from < vocabulary(); from += PANEL) {
            int n = Math.min(PANEL, vocabulary() - from);
            Matrix logits = Products.linear(x, Tensors.toMatrix(weight, (long) from, n));
            finish(logits, from);
            sink.accept(from, logits);
        }
    }

    private void finish(Matrix logits, int from) {
        if (ends.headBias().length > 0) {
            Decoder.addBias(logits, Arrays.copyOfRange(ends.headBias(), from, from + logits.cols()));
        }
        float multiplier = spec.logitMultiplier();
        float cap = spec.logitSoftCap();
        if (multiplier == 1f && cap == 0f) {
            return;
        }
        float[] d = logits.data();
        Parallel.forRange(logits.rows(), (r0, r1) -> {
            for (int i = r0 * logits.cols(); i < r1 * logits.cols(); i++) {
                d[i] *= multiplier;
                if (cap != 0) {
                    d[i] = cap * FloatMath.tanh(d[i] / cap);
                }
            }
        });
    }

    double[] crossEntropy(Matrix x, int batch, int tokens, int[][] ids) {
        double[] logSum = new double[x.rows()];
        double[] target = new double[x.rows()];
        Arrays.fill(logSum, Double.NEGATIVE_INFINITY);
        for (int first = 0; first < x.rows(); first += ROWS) {
            int base = first;
            panels(x.rows(base, Math.min(x.rows(), base + ROWS)), (from, panel) -> Parallel.forRange(panel.rows(), (r0, r1) -> {
                for (int i = r0; i < r1; i++) {
                    int r = base + i;
                    double part = Kernels.get().logSumExp(panel.cols(), panel.data(), i * panel.cols());
                    logSum[r] = addLogs(logSum[r], part);
                    int t = r % tokens;
                    int next = t + 1 < tokens ? ids[r / tokens][t + 1] - from : -1;
                    if (next >= 0 && next < panel.cols()) {
                        target[r] = panel.get(i, next);
                    }
                }
            }));
        }
        double[] sums = new double[batch];
        for (int b = 0; b < batch; b++) {
            for (int t = 0; t + 1 < tokens; t++) {
                sums[b] += logSum[b * tokens + t] - target[b * tokens + t];
            }
        }
        return sums;
    }

    private static double addLogs(double a, double b) {
        if (a == Double.NEGATIVE_INFINITY) {
            return b;
        }
        double high = Math.max(a, b);
        return high + StrictMath.log1p(StrictMath.exp(Math.min(a, b) - high));
    }
}
