package io.llmc4j.engine.autodiff;

import io.llmc4j.engine.kernel.Activation;
import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.tensor.Matrix;

/** Activation functions; the forward values are the kernels' own. */
public final class ActivationOps {

    private ActivationOps() {
    }

    public static Var activate(Tape tape, Activation f, Var x) {
        int n = x.cols();
        float[] xv = x.value().data();
        Matrix y = tape.buffer(x.rows(), n);
        System.arraycopy(xv, 0, y.data(), 0, xv.length);
        Kernels k = Kernels.get();
        Parallel.forEach(x.rows(), r -> k.activate(f, n, y.data(), r * n));
        return tape.record(y, x.needsGradient(), dy -> {
            float[] dx = x.gradient().data();
            Parallel.forEach(x.rows(), r -> {
                for (int i = r * n; i < (r + 1) * n; i++) {
                    dx[i] += (float) (dy.data()[i] * derivative(f, xv[i]));
                }
            });
        });
    }

    /** y = 1 / (1 + exp(-x)). */
    public static Var sigmoid(Tape tape, Var x) {
        Matrix y = tape.buffer(x.rows(), x.cols());
        float[] xv = x.value().data();
        for (int i = 0; i < xv.length; i++) {
            y.data()[i] = (float) sigmoid(xv[i]);
        }
        return tape.record(y, x.needsGradient(), dy -> {
            float[] dx = x.gradient().data();
            for (int i = 0; i < dx.length; i++) {
                double s = sigmoid(xv[i]);
                dx[i] += (float) (dy.data()[i] * s * (1 - s));
            }
        });
    }

    static double sigmoid(double v) {
        return 1 / (1 + StrictMath.exp(-v));
    }

    /** f'(x) in double; relu'(0) = 0. */
    static double derivative(Activation f, double x) {
        return switch (f) {
            case NONE -> 1;
            case RELU -> x > 0 ? 1 : 0;
            case RELU_SQUARED -> x > 0 ? 2 * x : 0;
            case SILU -> {
                double s = sigmoid(x);
                yield s * (1 + x * (1 - s));
            }
            case GELU_QUICK -> {
                double s = sigmoid(1.702 * x);
                yield s * (1 + 1.702 * x * (1 - s));
            }
            case GELU_TANH -> {
                double c = StrictMath.sqrt(2 / StrictMath.PI);
                double t = StrictMath.tanh(c * (x + 0.044715 * x * x * x));
                yield 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x);
            }
            case GELU_ERF -> 0.5 * (1 + erf(x / StrictMath.sqrt(2))) + x * StrictMath.exp(-x * x / 2) / StrictMath.sqrt(2 * StrictMath.PI);
        };
    }

    /** erf by its Maclaurin series below 3, by the continued fraction of erfc above; good to about 1e-12. */
    static double erf(double x) {
        double a = Math.abs(x);
        if (a > 6) {
            return Math.signum(x);
        }
        if (a < 3) {
            double term = x;
            double sum = x;
            for (int n = 1; n < 80; n++) {
                term *= -x * x / n;
                sum += term / (2 * n + 1);
            }
            return sum * 2 / StrictMath.sqrt(StrictMath.PI);
        }
        double fraction = a;
        for (int n = 60; n >= 1; n--) {
            fraction = a + (n / 2.0) / fraction;
        }
        double tail = StrictMath.exp(-a * a) / (fraction * StrictMath.sqrt(StrictMath.PI));
        return Math.signum(x) * (1 - tail);
    }
}
