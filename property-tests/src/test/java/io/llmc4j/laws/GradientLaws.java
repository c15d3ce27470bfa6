package io.llmc4j.laws;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.llmc4j.engine.autodiff.ActivationOps;
import io.llmc4j.engine.autodiff.AttentionOps;
import io.llmc4j.engine.autodiff.ElementOps;
import io.llmc4j.engine.autodiff.LinearOps;
import io.llmc4j.engine.autodiff.LossOps;
import io.llmc4j.engine.autodiff.NormOps;
import io.llmc4j.engine.autodiff.QuantizeOps;
import io.llmc4j.engine.autodiff.RoutingOps;
import io.llmc4j.engine.autodiff.Tape;
import io.llmc4j.engine.autodiff.Var;
import io.llmc4j.engine.kernel.Activation;
import io.llmc4j.engine.quant.ClipFactors;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantParams;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.tensor.Matrix;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

/**
 * Every operation of the tape against finite differences, in float64, of the same function written out in plain double loops here.
 * The loss of a check is the inner product of the operation's result with fixed weights.
 */
class GradientLaws {

    private static final double STEP = 1e-6;

    /** Values and gradients must agree with {@code reference} (which maps the operands to the flattened result). */
    private static void check(long seed, List<Matrix> operands, Function<double[][], double[]> reference, Function2 operation) {
        Tape tape = new Tape();
        List<Var> vars = new ArrayList<>();
        for (Matrix m : operands) {
            vars.add(Var.parameter(m));
        }
        Var y = operation.apply(tape, vars);
        double[][] exact = new double[operands.size()][];
        for (int i = 0; i < exact.length; i++) {
            exact[i] = doubles(operands.get(i));
        }
        double[] want = reference.apply(exact);
        double[] weights = new Random(seed).doubles(want.length, -1, 1).toArray();
        for (int i = 0; i < want.length; i++) {
            assertEquals(want[i], y.value().data()[i], 1e-4 * (1 + Math.abs(want[i])), "value " + i);
        }
        Matrix w = new Matrix(y.rows(), y.cols());
        for (int i = 0; i < weights.length; i++) {
            w.data()[i] = (float) weights[i];
        }
        Var product = ElementOps.multiply(tape, y, Var.input(w));
        Var ones = Var.input(filled(product.cols(), 1, 1f));
        Var rows = LinearOps.multiply(tape, product, ones);
        Var loss = LinearOps.multiply(tape, Var.input(filled(1, rows.rows(), 1f)), rows);
        tape.backward(loss);
        ToDoubleFunction<double[][]> total = in -> {
            double[] out = reference.apply(in);
            double sum = 0;
            for (int i = 0; i < out.length; i++) {
                sum += out[i] * (float) weights[i];
            }
            return sum;
        };
        for (int p = 0; p < exact.length; p++) {
            double[] numeric = new double[exact[p].length];
            double largest = 1e-3;
            for (int i = 0; i < numeric.length; i++) {
                double keep = exact[p][i];
                exact[p][i] = keep + STEP;
                double up = total.applyAsDouble(exact);
                exact[p][i] = keep - STEP;
                double down = total.applyAsDouble(exact);
                exact[p][i] = keep;
                numeric[i] = (up - down) / (2 * STEP);
                largest = Math.max(largest, Math.abs(numeric[i]));
            }
            for (int i = 0; i < numeric.length; i++) {
                assertEquals(numeric[i], vars.get(p).gradient().data()[i], 1e-3 * largest, "gradient of operand " + p + " at " + i);
            }
        }
    }

    private interface Function2 {
        Var apply(Tape tape, List<Var> operands);
    }

    private static double[] doubles(Matrix m) {
        double[] d = new double[m.data().length];
        for (int i = 0; i < d.length; i++) {
            d[i] = m.data()[i];
        }
        return d;
    }

    private static Matrix filled(int rows, int cols, float v) {
        Matrix m = new Matrix(rows, cols);
        java.util.Arrays.fill(m.data(), v);
        return m;
    }

    private static Matrix random(Random r, int rows, int cols) {
        Matrix m = new Matrix(rows, cols);
        for (int i = 0; i < m.data().length; i++) {
            m.data()[i] = (float) r.nextGaussian();
        }
        return m;
    }

    @Property(tries = 10)
    void linear(@ForAll long seed, @ForAll @IntRange(min = 1, max = 5) int t, @ForAll @IntRange(min = 1, max = 7) int n) {
        Random r = new Random(seed);
        int out = 3;
        check(seed, List.of(random(r, t, n), random(r, out, n)), in -> {
            double[] y = new double[t * out];
            for (int i = 0; i < t; i++) {
                for (int o = 0; o < out; o++) {
                    for (int j = 0; j < n; j++) {
                        y[i * out + o] += in[0][i * n + j] * in[1][o * n + j];
                    }
                }
            }
            return y;
        }, (tape, v) -> LinearOps.linear(tape, v.get(0), v.get(1)));
    }

    @Property(tries = 10)
    void elementWiseWithARepeatedRow(@ForAll long seed, @ForAll @IntRange(min = 1, max = 5) int m, @ForAll @IntRange(min = 1, max = 6) int n) {
        Random r = new Random(seed);
        Matrix divisor = random(r, 1, n);
        for (int i = 0; i < n; i++) {
            divisor.data()[i] = Math.signum(divisor.data()[i]) * (0.5f + Math.abs(divisor.data()[i]));
        }
        check(seed, List.of(random(r, m, n), divisor), in -> {
            double[] y = new double[m * n];
            for (int i = 0; i < y.length; i++) {
                double q = in[1][i % n];
                y[i] = (in[0][i] / q + in[0][i]) * q - q;
            }
            return y;
        }, (tape, v) -> ElementOps.subtract(tape, ElementOps.multiply(tape, ElementOps.add(tape, ElementOps.divide(tape, v.get(0), v.get(1)), v.get(0)), v.get(1)), v.get(1)));
    }

    @Property(tries = 10)
    void columnsAndTransposes(@ForAll long seed, @ForAll @IntRange(min = 1, max = 5) int m, @ForAll @IntRange(min = 1, max = 6) int n) {
        Random r = new Random(seed);
        check(seed, List.of(random(r, m, n), random(r, m, 1)), in -> {
            double[] y = new double[m * n];
            for (int i = 0; i < m; i++) {
                for (int j = 0; j < n; j++) {
                    y[j * m + i] = 0.5 * in[0][i * n + j] * in[1][i];
                }
            }
            return y;
        }, (tape, v) -> ElementOps.scale(tape, ElementOps.transpose(tape, ElementOps.multiply(tape, v.get(0), v.get(1))), 0.5f));
    }

    @Property(tries = 10)
    void norms(@ForAll long seed, @ForAll @IntRange(min = 1, max = 4) int t, @ForAll @IntRange(min = 2, max = 20) int n) {
        Random r = new Random(seed);
        check(seed, List.of(random(r, t, n), random(r, 1, n)), in -> {
            double[] y = new double[t * n];
            for (int i = 0; i < t; i++) {
                double square = 0;
                for (int j = 0; j < n; j++) {
                    square += in[0][i * n + j] * in[0][i * n + j];
                }
                for (int j = 0; j < n; j++) {
                    y[i * n + j] = in[0][i * n + j] / Math.sqrt(square / n + 0.01f) * in[1][j];
                }
            }
            return y;
        }, (tape, v) -> NormOps.rmsNorm(tape, v.get(0), v.get(1), 0.01f));
        check(seed, List.of(random(r, t, n), random(r, 1, n), random(r, 1, n)), in -> {
            double[] y = new double[t * n];
            for (int i = 0; i < t; i++) {
                double mean = 0;
                double square = 0;
                for (int j = 0; j < n; j++) {
                    mean += in[0][i * n + j] / n;
                }
                for (int j = 0; j < n; j++) {
                    square += Math.pow(in[0][i * n + j] - mean, 2);
                }
                for (int j = 0; j < n; j++) {
                    y[i * n + j] = (in[0][i * n + j] - mean) / Math.sqrt(square / n + 0.01f) * in[1][j] + in[2][j];
                }
            }
            return y;
        }, (tape, v) -> NormOps.layerNorm(tape, v.get(0), v.get(1), v.get(2), 0.01f));
    }

    @Property(tries = 5)
    void activations(@ForAll long seed, @ForAll Activation f) {
        Random r = new Random(seed);
        Matrix x = random(r, 3, 7);
        for (int i = 0; i < x.data().length; i++) {
            if (Math.abs(x.data()[i]) < 1e-3) {
                x.data()[i] = 0.5f;
            }
        }
        check(seed, List.of(x), in -> java.util.stream.DoubleStream.of(in[0]).map(v -> value(f, v)).toArray(), (tape, v) -> ActivationOps.activate(tape, f, v.get(0)));
    }

    private static double value(Activation f, double x) {
        return switch (f) {
            case NONE -> x;
            case RELU -> Math.max(x, 0);
            case RELU_SQUARED -> Math.pow(Math.max(x, 0), 2);
            case SILU -> x / (1 + Math.exp(-x));
            case GELU_QUICK -> x / (1 + Math.exp(-1.702 * x));
            case GELU_TANH -> 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
            case GELU_ERF -> x * normalDistribution(x);
        };
    }

    /** By Simpson's rule: an independent way to erf. */
    private static double normalDistribution(double x) {
        int n = 2000;
        double h = x / n;
        double sum = 0;
        for (int i = 0; i <= n; i++) {
            double t = i * h;
            sum += Math.exp(-t * t / 2) * (i == 0 || i == n ? 1 : i % 2 == 1 ? 4 : 2);
        }
        return 0.5 + sum * h / 3 / Math.sqrt(2 * Math.PI);
    }

    @Property(tries = 12)
    void attention(@ForAll long seed, @ForAll boolean window, @ForAll boolean cap, @ForAll boolean alibi, @ForAll boolean sinks) {
        Random r = new Random(seed);
        int batch = 2;
        int tokens = 5;
        int heads = 4;
        int kv = 2;
        int d = 3;
        int dv = 2;
        float[] slopes = alibi ? new float[] {0.5f, 0.25f, 0.125f, 0.0625f} : new float[0];
        float[] sink = sinks ? new float[] {0.3f, -0.2f, 0.1f, 1f} : new float[0];
        AttentionOps.Core core = new AttentionOps.Core(batch, tokens, heads, kv, d, dv, 0.7f, window ? 3 : 0, cap ? 2f : 0f, slopes, sink);
        check(seed, List.of(random(r, batch * tokens, heads * d), random(r, batch * tokens, kv * d), random(r, batch * tokens, kv * dv)), in -> {
            double[] y = new double[batch * tokens * heads * dv];
            for (int b = 0; b < batch; b++) {
                for (int h = 0; h < heads; h++) {
                    for (int i = 0; i < tokens; i++) {
                        double[] e = new double[tokens];
                        double total = sinks ? Math.exp(sink[h]) : 0;
                        for (int j = window ? Math.max(0, i - 2) : 0; j <= i; j++) {
                            double s = 0;
                            for (int c = 0; c < d; c++) {
                                s += in[0][((b * tokens + i) * heads + h) * d + c] * in[1][((b * tokens + j) * kv + h / 2) * d + c];
                            }
                            s *= 0.7f;
                            s = cap ? 2 * Math.tanh(s / 2) : s;
                            e[j] = Math.exp(s + (alibi ? slopes[h] * j : 0));
                            total += e[j];
                        }
                        for (int j = 0; j <= i; j++) {
                            for (int c = 0; c < dv; c++) {
                                y[((b * tokens + i) * heads + h) * dv + c] += e[j] / total * in[2][((b * tokens + j) * kv + h / 2) * dv + c];
                            }
                        }
                    }
                }
            }
            return y;
        }, (tape, v) -> AttentionOps.attention(tape, v.get(0), v.get(1), v.get(2), core));
    }

    @Property(tries = 10)
    void rotary(@ForAll long seed, @ForAll boolean interleaved) {
        Random r = new Random(seed);
        int tokens = 3;
        int half = 2;
        int headDim = 6;
        float[] cos = new float[tokens * half];
        float[] sin = new float[tokens * half];
        for (int i = 0; i < cos.length; i++) {
            cos[i] = (float) (1.1 * Math.cos(i));
            sin[i] = (float) (1.1 * Math.sin(i));
        }
        check(seed, List.of(random(r, 2 * tokens, 2 * headDim)), in -> {
            double[] y = in[0].clone();
            for (int row = 0; row < 2 * tokens; row++) {
                for (int h = 0; h < 2; h++) {
                    for (int i = 0; i < half; i++) {
                        int o = (row * 2 + h) * headDim;
                        int a = interleaved ? o + 2 * i : o + i;
                        int b = interleaved ? o + 2 * i + 1 : o + i + half;
                        int p = row % tokens * half + i;
                        y[a] = in[0][a] * cos[p] - in[0][b] * sin[p];
                        y[b] = in[0][b] * cos[p] + in[0][a] * sin[p];
                    }
                }
            }
            return y;
        }, (tape, v) -> AttentionOps.rotary(tape, v.get(0), tokens, headDim, half, interleaved, cos, sin));
    }

    @Property(tries = 10)
    void routing(@ForAll long seed) {
        Random r = new Random(seed);
        int[][] chosen = {{0, 2}, {1, 3}, {3, 0}};
        int[] rows = {0, 2};
        check(seed, List.of(random(r, 3, 4), random(r, 3, 5)), in -> {
            double[] weights = new double[6];
            for (int t = 0; t < 3; t++) {
                double total = 0;
                for (int j = 0; j < 4; j++) {
                    total += Math.exp(in[0][t * 4 + j]);
                }
                double sum = 0;
                for (int i = 0; i < 2; i++) {
                    weights[t * 2 + i] = Math.exp(in[0][t * 4 + chosen[t][i]]) / total;
                    sum += weights[t * 2 + i];
                }
                for (int i = 0; i < 2; i++) {
                    weights[t * 2 + i] /= sum + 1e-3f;
                }
            }
            double[] y = in[1].clone();
            for (int i = 0; i < 2; i++) {
                for (int j = 0; j < 5; j++) {
                    y[rows[i] * 5 + j] += in[1][rows[i] * 5 + j] * weights[rows[i] * 2];
                }
            }
            return y;
        }, (tape, v) -> {
            Var weights = RoutingOps.normalizeRows(tape, RoutingOps.pick(tape, RoutingOps.softmax(tape, v.get(0)), chosen), 1e-3f);
            Var taken = RoutingOps.gatherRows(tape, v.get(1), rows);
            return RoutingOps.scatterRows(tape, v.get(1), taken, rows, weights, new int[] {0, 4});
        });
    }

    @Property(tries = 10)
    void losses(@ForAll long seed) {
        Random r = new Random(seed);
        Matrix target = random(r, 3, 4);
        int[][] ids = {{0, 3, 1}, {2, 2, 4}};
        check(seed, List.of(random(r, 3, 4), random(r, 6, 5)), in -> {
            double square = 0;
            for (int i = 0; i < 12; i++) {
                square += Math.pow(in[0][i] - target.data()[i], 2);
            }
            double entropy = 0;
            for (int b = 0; b < 2; b++) {
                for (int t = 0; t < 2; t++) {
                    double total = 0;
                    for (int j = 0; j < 5; j++) {
                        total += Math.exp(in[1][(b * 3 + t) * 5 + j]);
                    }
                    entropy += Math.log(total) - in[1][(b * 3 + t) * 5 + ids[b][t + 1]];
                }
            }
            return new double[] {square / 12 + square / 3 + entropy / 4};
        }, (tape, v) -> LossOps.add(tape, LossOps.add(tape, LossOps.meanSquaredError(tape, v.get(0), target), LossOps.tokenSquaredError(tape, v.get(0), target)),
                LossOps.crossEntropy(tape, v.get(1), ids)));
    }

    /** With rounding replaced by the identity inside the grid, the straight-through gradient is an ordinary one: codes are held fixed offsets from v / s. */
    @Property(tries = 40)
    void fakeQuantization(@ForAll long seed, @ForAll boolean symmetric, @ForAll boolean roundZero, @ForAll boolean clip) {
        Random r = new Random(seed);
        int g = 6;
        int ranges = 4;
        float qmin = symmetric ? -4 : 0;
        float qmax = symmetric ? 3 : 7;
        Matrix w = random(r, 2, 12);
        Matrix up = random(r, ranges, 1);
        Matrix low = random(r, ranges, 1);
        QuantizeOps.Grid grid = new QuantizeOps.Grid(qmin, qmax, symmetric, symmetric || roundZero, true);
        double[][] held = new double[2][];
        boolean[] outside = new boolean[24];
        check(seed, clip ? List.of(w, up, low) : List.of(w), in -> {
            boolean first = held[0] == null;
            if (first) {
                held[0] = new double[24];
                held[1] = new double[ranges];
            }
            double[] y = new double[24];
            for (int k = 0; k < ranges; k++) {
                double lo = Double.MAX_VALUE;
                double hi = -Double.MAX_VALUE;
                for (int i = k * g; i < (k + 1) * g; i++) {
                    lo = Math.min(lo, in[0][i]);
                    hi = Math.max(hi, in[0][i]);
                }
                double s;
                double z = 0;
                if (symmetric) {
                    double a = Math.max(Math.abs(lo), Math.abs(hi)) * (clip ? sig(in[1][k]) : 1);
                    s = a / qmax;
                } else {
                    lo *= clip ? sig(in[2][k]) : 1;
                    hi *= clip ? sig(in[1][k]) : 1;
                    s = Math.max(hi - lo, 1e-5f) / (qmax - qmin);
                    if (roundZero) {
                        if (first) {
                            held[1][k] = Math.min(Math.max(qmin - Math.rint(lo / s), qmin), qmax);
                        }
                        z = held[1][k];
                    } else {
                        z = qmin - lo / s;
                    }
                }
                for (int i = k * g; i < (k + 1) * g; i++) {
                    boolean inner = symmetric || roundZero;
                    double v = inner ? in[0][i] / s : in[0][i] / s + z;
                    if (first) {
                        held[0][i] = Math.rint(v) - v;
                    }
                    double code = inner ? v + held[0][i] + z : v + held[0][i];
                    // The grid's ends count as inside (gradients pass), so a code that starts there is not clamped.
                    double clamped = first ? Math.min(Math.max(Math.rint(code), qmin), qmax) : code;
                    if (first) {
                        outside[i] = clamped != Math.rint(code);
                    }
                    y[i] = ((outside[i] ? Math.min(Math.max(code, qmin), qmax) : code) - z) * s;
                }
            }
            return y;
        }, (tape, v) -> {
            Var none = Var.input(new Matrix(0, 1));
            return QuantizeOps.fakeQuantize(tape, v.get(0), g, grid, clip ? v.get(1) : none, clip ? v.get(2) : none);
        });
    }

    /** As {@link #fakeQuantization}, for a grid of small floats with a scale in proportion to the range. */
    @Property(tries = 40)
    void fakeQuantizationToFloats(@ForAll long seed, @ForAll boolean clip) {
        Random r = new Random(seed);
        int g = 6;
        Matrix w = random(r, 2, 12);
        Matrix up = random(r, 4, 1);
        Quantizer quantizer = Quantizer.of(QuantScheme.floating("e2m1", NumberFormat.Float.Path.NEAREST_EVEN, Granularity.perGroup(g)));
        double[] held = new double[24];
        boolean[] outside = new boolean[24];
        boolean[] first = {true};
        check(seed, clip ? List.of(w, up) : List.of(w), in -> {
            double[] y = new double[24];
            for (int k = 0; k < 4; k++) {
                double a = 0;
                for (int i = k * g; i < (k + 1) * g; i++) {
                    a = Math.max(a, Math.abs(in[0][i]));
                }
                double s = a * (clip ? sig(in[1][k]) : 1) / 6;
                for (int i = k * g; i < (k + 1) * g; i++) {
                    double v = in[0][i] / s;
                    if (first[0]) {
                        held[i] = nearestE2m1(v) - v;
                        outside[i] = Math.abs((float) v) > 6;
                    }
                    y[i] = (outside[i] ? Math.copySign(6, v) : v + held[i]) * s;
                }
            }
            first[0] = false;
            return y;
        }, (tape, v) -> {
            QuantParams p = new ClipFactors(clip ? v.get(1).value().data() : new float[0], new float[0]).params(quantizer, v.get(0).value());
            return QuantizeOps.scaledGrid(tape, v.get(0), quantizer.fakeQuantize(v.get(0).value(), p), g, p.scales(), 6, true,
                    clip ? v.get(1) : Var.input(new Matrix(0, 1)));
        });
    }

    private static double nearestE2m1(double v) {
        double best = 0;
        for (double c : new double[] {0.5, 1, 1.5, 2, 3, 4, 6}) {
            if (Math.abs(Math.abs(v) - c) < Math.abs(Math.abs(v) - best)) {
                best = c;
            }
        }
        return Math.copySign(best, v);
    }

    private static double sig(double v) {
        return 1 / (1 + Math.exp(-v));
    }

    @Property(tries = 10)
    void softRounding(@ForAll long seed) {
        Random r = new Random(seed);
        Matrix base = new Matrix(2, 4);
        for (int i = 0; i < 8; i++) {
            base.data()[i] = r.nextInt(7) - 3;
        }
        float[] scales = {0.5f, 0.25f};
        check(seed, List.of(random(r, 2, 4), random(r, 2, 1)), in -> {
            double[] y = new double[8];
            for (int i = 0; i < 8; i++) {
                double code = base.data()[i] + Math.min(Math.max(1.2 * sig(in[0][i]) - 0.1, 0), 1);
                y[i] = Math.min(Math.max(code, -8), 7) * scales[i / 4] * 2 * Math.min(Math.max(1.2 * sig(in[1][i / 4]) - 0.1, 0), 1);
            }
            return y;
        }, (tape, v) -> QuantizeOps.softRound(tape, base, v.get(0), scales, new float[0], -8, 7, v.get(1), 2, 4));
    }

    @Property(tries = 5)
    void aSecondStepAllocatesNothingNew(@ForAll long seed) {
        Random r = new Random(seed);
        Var x = Var.input(random(r, 4, 8));
        Var w = Var.parameter(random(r, 8, 8));
        Tape tape = new Tape();
        long afterOne = 0;
        for (int step = 0; step < 4; step++) {
            Var y = LinearOps.linear(tape, x, w);
            tape.backward(LossOps.meanSquaredError(tape, y, x.value()));
            tape.reset();
            if (step == 0) {
                afterOne = tape.allocatedFloats();
            }
        }
        assertEquals(afterOne, tape.allocatedFloats());
    }
}
