package io.llmc4j.engine.autodiff;

import io.llmc4j.engine.tensor.Matrix;

/**
 * Element-wise operations; the second operand may be of the first's shape, one row [1, n] for all rows, one column [m, 1] for all columns,
 * or one element. Sums over a repeated operand run down the rows in order.
 */
public final class ElementOps {

    private enum Kind { ADD, SUBTRACT, MULTIPLY, DIVIDE }

    private ElementOps() {
    }

    public static Var add(Tape tape, Var a, Var b) {
        return binary(tape, Kind.ADD, a, b);
    }

    public static Var subtract(Tape tape, Var a, Var b) {
        return binary(tape, Kind.SUBTRACT, a, b);
    }

    public static Var multiply(Tape tape, Var a, Var b) {
        return binary(tape, Kind.MULTIPLY, a, b);
    }

    public static Var divide(Tape tape, Var a, Var b) {
        return binary(tape, Kind.DIVIDE, a, b);
    }

    private static Var binary(Tape tape, Kind kind, Var a, Var b) {
        int m = a.rows();
        int n = a.cols();
        if (b.rows() != m && b.rows() != 1 || b.cols() != n && b.cols() != 1) {
            throw new IllegalArgumentException(kind + " of " + a.value() + " and " + b.value());
        }
        int rowStep = b.rows() == 1 ? 0 : b.cols();
        int colStep = b.cols() == 1 ? 0 : 1;
        Matrix y = tape.buffer(m, n);
        float[] av = a.value().data();
        float[] bv = b.value().data();
        for (int r = 0; r < m; r++) {
            for (int c = 0; c < n; c++) {
                float p = av[r * n + c];
                float q = bv[r * rowStep + c * colStep];
                y.data()[r * n + c] = switch (kind) {
                    case ADD -> p + q;
                    case SUBTRACT -> p - q;
                    case MULTIPLY -> p * q;
                    case DIVIDE -> p / q;
                };
            }
        }
        return tape.record(y, a.needsGradient() || b.needsGradient(), dy -> {
            float[] d = dy.data();
            float[] da = a.needsGradient() ? a.gradient().data() : null;
            float[] db = b.needsGradient() ? b.gradient().data() : null;
            for (int r = 0; r < m; r++) {
                for (int c = 0; c < n; c++) {
                    float g = d[r * n + c];
                    int j = r * rowStep + c * colStep;
                    float q = bv[j];
                    if (da != null) {
                        da[r * n + c] += switch (kind) {
                            case ADD, SUBTRACT -> g;
                            case MULTIPLY -> g * q;
                            case DIVIDE -> g / q;
                        };
                    }
                    if (db != null) {
                        db[j] += switch (kind) {
                            case ADD -> g;
                            case SUBTRACT -> -g;
                            case MULTIPLY -> g * av[r * n + c];
                            case DIVIDE -> -g * av[r * n + c] / (q * q);
                        };
                    }
                }
            }
        });
    }

    /** y = factor * x. */
    public static Var scale(Tape tape, Var x, float factor) {
        Matrix y = tape.buffer(x.rows(), x.cols());
        float[] v = x.value().data();
        for (int i = 0; i < v.length; i++) {
            y.data()[i] = v[i] * factor;
        }
        return tape.record(y, x.needsGradient(), dy -> {
            float[] dx = x.gradient().data();
            for (int i = 0; i < dx.length; i++) {
                dx[i] += dy.data()[i] * factor;
            }
        });
    }

    /** y[:, j] = x[:, from[j]], or 0 where {@code from[j]} is negative. */
    public static Var columns(Tape tape, Var x, int[] from) {
        int n = from.length;
        int width = x.cols();
        Matrix y = tape.buffer(x.rows(), n);
        for (int r = 0; r < x.rows(); r++) {
            for (int j = 0; j < n; j++) {
                y.data()[r * n + j] = from[j] < 0 ? 0f : x.value().data()[r * width + from[j]];
            }
        }
        return tape.record(y, x.needsGradient(), dy -> {
            float[] dx = x.gradient().data();
            for (int r = 0; r < x.rows(); r++) {
                for (int j = 0; j < n; j++) {
                    if (from[j] >= 0) {
                        dx[r * width + from[j]] += dy.data()[r * n + j];
                    }
                }
            }
        });
    }

    /** y = x held between the bounds; the gradient passes where x is inside. */
    public static Var clamp(Tape tape, Var x, float low, float high) {
        Matrix y = tape.buffer(x.rows(), x.cols());
        float[] v = x.value().data();
        for (int i = 0; i < v.length; i++) {
            y.data()[i] = Math.max(low, Math.min(high, v[i]));
        }
        return tape.record(y, x.needsGradient(), dy -> {
            float[] dx = x.gradient().data();
            for (int i = 0; i < dx.length; i++) {
                if (v[i] >= low && v[i] <= high) {
                    dx[i] += dy.data()[i];
                }
            }
        });
    }

    /** The same numbers in another shape; shares memory and gradient. */
    public static Var reshape(Tape tape, Var x, int rows, int cols) {
        return tape.view(x, rows, cols);
    }

    /** y = xᵀ. */
    public static Var transpose(Tape tape, Var x) {
        int m = x.rows();
        int n = x.cols();
        Matrix y = tape.buffer(n, m);
        transposeInto(x.value().data(), m, n, y.data(), false);
        return tape.record(y, x.needsGradient(), dy -> transposeInto(dy.data(), n, m, x.gradient().data(), true));
    }

    private static void transposeInto(float[] from, int m, int n, float[] to, boolean accumulate) {
        for (int r = 0; r < m; r++) {
            for (int c = 0; c < n; c++) {
                to[c * m + r] = from[r * n + c] + (accumulate ? to[c * m + r] : 0f);
            }
        }
    }

    /**
     * Entries with |x| below the bound become sign(x) * bound (0 stays 0), in the value itself: OmniQuant's truncation of smoothing scales,
     * whose gradient is 1.
     */
    public static void truncateInPlace(Var x, float bound) {
        float[] v = x.value().data();
        for (int i = 0; i < v.length; i++) {
            if (Math.abs(v[i]) < bound) {
                v[i] = Math.signum(v[i]) * bound;
            }
        }
    }
}
