package io.llmc4j.engine.autodiff;

import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.tensor.Matrix;

/** What a mixture of experts needs: softmax of rows, picking entries, gathering and scattering rows. The choice itself has no gradient. */
public final class RoutingOps {

    private RoutingOps() {
    }

    /** Softmax of each row. */
    public static Var softmax(Tape tape, Var x) {
        int n = x.cols();
        Matrix y = tape.buffer(x.rows(), n);
        System.arraycopy(x.value().data(), 0, y.data(), 0, y.data().length);
        Kernels k = Kernels.get();
        for (int r = 0; r < x.rows(); r++) {
            k.softmax(n, y.data(), r * n);
        }
        return tape.record(y, x.needsGradient(), dy -> {
            float[] dx = x.gradient().data();
            for (int r = 0; r < x.rows(); r++) {
                double along = 0;
                for (int j = r * n; j < (r + 1) * n; j++) {
                    along += (double) dy.data()[j] * y.data()[j];
                }
                for (int j = r * n; j < (r + 1) * n; j++) {
                    dx[j] += y.data()[j] * (dy.data()[j] - (float) along);
                }
            }
        });
    }

    /** y[r, i] = x[r, columns[r][i]]. */
    public static Var pick(Tape tape, Var x, int[][] columns) {
        int k = columns[0].length;
        int n = x.cols();
        Matrix y = tape.buffer(x.rows(), k);
        for (int r = 0; r < x.rows(); r++) {
            for (int i = 0; i < k; i++) {
                y.data()[r * k + i] = x.value().data()[r * n + columns[r][i]];
            }
        }
        return tape.record(y, x.needsGradient(), dy -> {
            float[] dx = x.gradient().data();
            for (int r = 0; r < x.rows(); r++) {
                for (int i = 0; i < k; i++) {
                    dx[r * n + columns[r][i]] += dy.data()[r * k + i];
                }
            }
        });
    }

    /** Each row divided by its sum plus {@code eps}. */
    public static Var normalizeRows(Tape tape, Var x, float eps) {
        int n = x.cols();
        float[] xv = x.value().data();
        Matrix y = tape.buffer(x.rows(), n);
        float[] sums = tape.floats(x.rows());
        for (int r = 0; r < x.rows(); r++) {
            float sum = 0;
            for (int j = 0; j < n; j++) {
                sum += xv[r * n + j];
            }
            sums[r] = sum + eps;
            for (int j = 0; j < n; j++) {
                y.data()[r * n + j] = xv[r * n + j] / sums[r];
            }
        }
        return tape.record(y, x.needsGradient(), dy -> {
            float[] dx = x.gradient().data();
            for (int r = 0; r < x.rows(); r++) {
                float along = 0;
                for (int j = 0; j < n; j++) {
                    along += dy.data()[r * n + j] * y.data()[r * n + j];
                }
                for (int j = 0; j < n; j++) {
                    dx[r * n + j] += (dy.data()[r * n + j] - along) / sums[r];
                }
            }
        });
    }

    /** The rows {@code index} of x, in that order. */
    public static Var gatherRows(Tape tape, Var x, int[] index) {
        int n = x.cols();
        Matrix y = tape.buffer(index.length, n);
        for (int i = 0; i < index.length; i++) {
            System.arraycopy(x.value().data(), index[i] * n, y.data(), i * n, n);
        }
        return tape.record(y, x.needsGradient(), dy -> {
            float[] dx = x.gradient().data();
            for (int i = 0; i < index.length; i++) {
                for (int j = 0; j < n; j++) {
                    dx[index[i] * n + j] += dy.data()[i * n + j];
                }
            }
        });
    }

    /** base with row i of {@code rows}, times {@code weights[weightAt[i]]}, added to row index[i]. */
    public static Var scatterRows(Tape tape, Var base, Var rows, int[] index, Var weights, int[] weightAt) {
        int n = base.cols();
        Matrix y = tape.buffer(base.rows(), n);
        System.arraycopy(base.value().data(), 0, y.data(), 0, y.data().length);
        float[] rv = rows.value().data();
        float[] wv = weights.value().data();
        for (int i = 0; i < index.length; i++) {
            float w = wv[weightAt[i]];
            for (int j = 0; j < n; j++) {
                y.data()[index[i] * n + j] += rv[i * n + j] * w;
            }
        }
        boolean needs = base.needsGradient() || rows.needsGradient() || weights.needsGradient();
        return tape.record(y, needs, dy -> {
            float[] d = dy.data();
            if (base.needsGradient()) {
                float[] db = base.gradient().data();
                for (int i = 0; i < db.length; i++) {
                    db[i] += d[i];
                }
            }
            for (int i = 0; i < index.length; i++) {
                float w = wv[weightAt[i]];
                double along = 0;
                for (int j = 0; j < n; j++) {
                    float g = d[index[i] * n + j];
                    along += (double) g * rv[i * n + j];
                    if (rows.needsGradient()) {
                        rows.gradient().data()[i * n + j] += g * w;
                    }
                }
                if (weights.needsGradient()) {
                    weights.gradient().data()[weightAt[i]] += (float) along;
                }
            }
        });
    }
}
