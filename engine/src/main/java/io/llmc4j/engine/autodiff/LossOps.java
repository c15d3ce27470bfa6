package io.llmc4j.engine.autodiff;

import io.llmc4j.engine.tensor.Matrix;

/** Losses; the value is summed in float64 row by row. */
public final class LossOps {

    private LossOps() {
    }

    /** mean((y - target)²) over all elements. */
    public static Var meanSquaredError(Tape tape, Var y, Matrix target) {
        return squared(tape, y, target, 1.0 / y.value().data().length);
    }

    /** Mean over tokens (rows) of the sum over features of the squared error. */
    public static Var tokenSquaredError(Tape tape, Var y, Matrix target) {
        return squared(tape, y, target, 1.0 / y.rows());
    }

    private static Var squared(Tape tape, Var y, Matrix target, double factor) {
        float[] a = y.value().data();
        float[] b = target.data();
        double total = 0;
        for (int i = 0; i < a.length; i++) {
            double e = (double) a[i] - b[i];
            total += e * e;
        }
        Matrix loss = tape.buffer(1, 1);
        loss.data()[0] = (float) (total * factor);
        return tape.record(loss, y.needsGradient(), d -> {
            float g = (float) (2 * factor * d.data()[0]);
            float[] dy = y.gradient().data();
            for (int i = 0; i < a.length; i++) {
                dy[i] += g * (a[i] - b[i]);
            }
        });
    }

    /** Sum of two losses. */
    public static Var add(Tape tape, Var a, Var b) {
        return ElementOps.add(tape, a, b);
    }

    /**
     * Mean next-token cross entropy over sequences of equal length: row b * tokens + t of {@code logits} predicts id t + 1 of sequence b.
     *
     * @param ids [batch][tokens]
     */
    public static Var crossEntropy(Tape tape, Var logits, int[][] ids) {
        int tokens = ids[0].length;
        int n = logits.cols();
        int count = ids.length * (tokens - 1);
        float[] v = logits.value().data();
        double[] logSum = new double[ids.length * tokens];
        double total = 0;
        for (int b = 0; b < ids.length; b++) {
            for (int t = 0; t + 1 < tokens; t++) {
                int o = (b * tokens + t) * n;
                float max = Float.NEGATIVE_INFINITY;
                for (int j = 0; j < n; j++) {
                    max = Math.max(max, v[o + j]);
                }
                double sum = 0;
                for (int j = 0; j < n; j++) {
                    sum += StrictMath.exp(v[o + j] - max);
                }
                logSum[b * tokens + t] = max + StrictMath.log(sum);
                total += logSum[b * tokens + t] - v[o + ids[b][t + 1]];
            }
        }
        Matrix loss = tape.buffer(1, 1);
        loss.data()[0] = (float) (total / count);
        return tape.record(loss, logits.needsGradient(), d -> {
            float[] dl = logits.gradient().data();
            double g = d.data()[0] / (double) count;
            for (int b = 0; b < ids.length; b++) {
                for (int t = 0; t + 1 < tokens; t++) {
                    int o = (b * tokens + t) * n;
                    double norm = logSum[b * tokens + t];
                    for (int j = 0; j < n; j++) {
                        dl[o + j] += (float) (g * StrictMath.exp(v[o + j] - norm));
                    }
                    dl[o + ids[b][t + 1]] -= (float) g;
                }
            }
        });
    }
}
