package io.llmc4j.formats.audit;

import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.tensor.Matrix;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * Why a whole layer may be off. Every hypothesis says what the weight would be if it were true; the one that comes closest to the reference is the likely
 * cause, when it comes close enough.
 */
final class LayerCauses {

    /** Orders of eight neighbours in a 32-bit word that other packings have. */
    private static final Map<String, int[]> ORDERS = orders();

    private static Map<String, int[]> orders() {
        Map<String, int[]> m = new LinkedHashMap<>();
        m.put("the nibbles of every byte are exchanged", new int[]{1, 0, 3, 2, 5, 4, 7, 6});
        m.put("the nibbles of every byte are exchanged (AWQ's interleave)", new int[]{2, 3, 0, 1, 6, 7, 4, 5});
        m.put("AWQ's interleave is missing", new int[]{0, 2, 4, 6, 1, 3, 5, 7});
        m.put("AWQ's interleave is there where none belongs", new int[]{0, 4, 1, 5, 2, 6, 3, 7});
        m.put("the codes of every word are in reverse order", new int[]{7, 6, 5, 4, 3, 2, 1, 0});
        m.put("the bytes of every word are in reverse order", new int[]{6, 7, 4, 5, 2, 3, 0, 1});
        return m;
    }

    private final Matrix reference;
    private final Matrix stored;
    private final Optional<CodeGrid> grid;
    private final int step;
    private String best = "";
    private double least = Double.MAX_VALUE;

    private interface Variant {
        float at(int row, int col);
    }

    LayerCauses(Matrix reference, Matrix stored, Optional<CodeGrid> grid) {
        this.reference = reference;
        this.stored = stored;
        this.grid = grid;
        // Words of eight rows are looked at as a whole; of large layers a sample will do.
        long size = (long) reference.rows() * reference.cols();
        this.step = Math.max(1, (int) (size >> 22));
    }

    /** A cause, and the relative error that would remain. */
    record Cause(String what, double relative) { }

    /** The best hypothesis, however good it is; empty when there was none to test. */
    Optional<Cause> best() {
        scaleOfAll();
        transposed();
        grid.ifPresent(g -> {
            zeroPoints(g);
            scales(g);
            packing(g);
            axes(g);
            if (g.codes().scheme().granularity().kind() == Granularity.Kind.PER_GROUP && g.codes().groups() > 1) {
                columnGroups(g);
            }
        });
        lines(true);
        lines(false);
        return best.isEmpty() ? Optional.empty() : Optional.of(new Cause(best, least));
    }

    private void test(String what, Variant v) {
        double error = 0;
        double signal = 0;
        for (int r = 0; r < reference.rows(); r++) {
            if (r / 8 % step != 0) {
                continue;
            }
            for (int c = 0; c < reference.cols(); c++) {
                double w = reference.data()[r * reference.cols() + c];
                double d = v.at(r, c) - w;
                error += d * d;
                signal += w * w;
            }
        }
        double relative = error == 0 ? 0 : Math.sqrt(error / signal);
        if (relative < least) {
            least = relative;
            best = what;
        }
    }

    private void scaleOfAll() {
        double dot = 0;
        double norm = 0;
        for (int i = 0; i < stored.data().length; i++) {
            dot += (double) stored.data()[i] * reference.data()[i];
            norm += (double) stored.data()[i] * stored.data()[i];
        }
        if (norm > 0 && Math.abs(dot / norm) > 0) {
            float f = (float) (dot / norm);
            String times = String.format(java.util.Locale.ROOT, "%.2g", 1 / f);
            test("the whole weight is " + times + " times what it should be", (r, c) -> stored.data()[r * stored.cols() + c] * f);
        }
    }

    private void transposed() {
        int rows = reference.rows();
        test("the weight is transposed", (r, c) -> stored.data()[c * rows + r]);
    }

    private void zeroPoints(CodeGrid g) {
        boolean integer = g.codes().scheme().format() instanceof NumberFormat.Int;
        int half = integer ? 1 << (g.codes().scheme().bits() - 1) : 0;
        if (!integer) {
            return;
        }
        for (int by : new int[]{1, -1, half, -half}) {
            String what = Math.abs(by) == 1 && half != 1 ? "the zero points are one too " + (by > 0 ? "small" : "large")
                    + " (a version of the format that stores them moved by one, read as the other)"
                    : "the codes are signed where unsigned ones are expected, or the reverse (off by " + -by + ")";
            test(what, (r, c) -> {
                int at = g.range(r, c);
                return (g.value(r, c) - (g.zero(at) + by)) * g.scale(at);
            });
        }
    }

    private void scales(CodeGrid g) {
        test("every scale is taken twice (squared)", (r, c) -> {
            int at = g.range(r, c);
            return (g.value(r, c) - g.zero(at)) * (float) Math.sqrt(Math.abs(g.scale(at)));
        });
        test("every scale is its inverse", (r, c) -> {
            int at = g.range(r, c);
            return g.scale(at) == 0 ? 0 : (g.value(r, c) - g.zero(at)) / g.scale(at);
        });
        test("every scale lacks its square root", (r, c) -> {
            int at = g.range(r, c);
            return (g.value(r, c) - g.zero(at)) * g.scale(at) * g.scale(at);
        });
    }

    private void packing(CodeGrid g) {
        if (g.codes().scheme().bits() != 4) {
            return;
        }
        ORDERS.forEach((what, order) -> {
            if (g.cols() % 8 == 0) {
                test(what + ", along the input channels", (r, c) -> {
                    int at = g.range(r, c);
                    return (g.value(r, c - c % 8 + order[c % 8]) - g.zero(at)) * g.scale(at);
                });
            }
            if (g.rows() % 8 == 0) {
                test(what + ", along the output channels", (r, c) -> {
                    int at = g.range(r, c);
                    return (g.value(r - r % 8 + order[r % 8], c) - g.zero(at)) * g.scale(at);
                });
            }
        });
    }

    private void axes(CodeGrid g) {
        if (g.codes().scheme().granularity().kind() != Granularity.Kind.PER_GROUP) {
            return;
        }
        int groups = g.codes().groups();
        int rows = g.rows();
        int size = g.cols() / groups;
        test("the scales are transposed", (r, c) -> {
            int at = g.range(r, c);
            int other = at % groups * rows + at / groups;
            return (g.value(r, c) - g.zero(other)) * g.scale(other);
        });
        if (g.codes().zeros().length > 0) {
            test("the scales are transposed (the zero points are not)", (r, c) -> {
                int at = g.range(r, c);
                return (g.value(r, c) - g.zero(at)) * g.scale(at % groups * rows + at / groups);
            });
        }
        if (rows % size == 0) {
            int down = rows / size;
            test("the groups lie along the wrong axis (down the output channels)", (r, c) -> {
                int other = r / size * g.cols() + c;
                return (g.value(r, c) - g.zero(other)) * g.scale(other);
            });
            test("the groups lie along the wrong axis (down the output channels, scales transposed)", (r, c) -> {
                int other = c * down + r / size;
                return (g.value(r, c) - g.zero(other)) * g.scale(other);
            });
        }
    }

    /** The group that fits each input channel best, against the one that the file gives it. */
    private void columnGroups(CodeGrid g) {
        int groups = g.codes().groups();
        int size = g.cols() / groups;
        boolean listed = g.codes().columnGroup().length != 0;
        if (listed) {
            test("the order of the groups (g_idx) is not the one that the codes were made with: contiguous groups fit", (r, c) -> {
                int at = r * groups + c / size;
                return (g.value(r, c) - g.zero(at)) * g.scale(at);
            });
        }
        int[] fitting = new int[g.cols()];
        int moved = 0;
        String first = "";
        int sample = Math.max(1, g.rows() / 512);
        for (int c = 0; c < g.cols(); c++) {
            double least = Double.MAX_VALUE;
            for (int k = 0; k < groups; k++) {
                double sum = 0;
                for (int r = 0; r < g.rows(); r += sample) {
                    int at = r * groups + k;
                    double d = (g.value(r, c) - g.zero(at)) * g.scale(at) - reference.data()[r * g.cols() + c];
                    sum += d * d;
                }
                if (sum < least) {
                    least = sum;
                    fitting[c] = k;
                }
            }
            int stored = g.range(0, c);
            if (fitting[c] != stored) {
                first = moved == 0 ? "input channel " + c + " is in group " + stored + " and fits group " + fitting[c] : first;
                moved++;
            }
        }
        if (moved > 0) {
            test((listed ? "g_idx is wrong" : "the order of the groups (g_idx) is lost") + " for " + moved + " of " + g.cols() + " input channels: " + first, (r, c) -> {
                int at = r * groups + fitting[c];
                return (g.value(r, c) - g.zero(at)) * g.scale(at);
            });
        }
    }

    /** Rows (or columns) that are the reference's in another order: each is matched to the one that it resembles most. */
    private void lines(boolean rows) {
        int n = rows ? reference.rows() : reference.cols();
        int other = rows ? reference.cols() : reference.rows();
        int length = Math.min(other, 128);
        if (n > 8192) {
            return;
        }
        float[][] a = new float[n][];
        float[][] b = new float[n][];
        for (int i = 0; i < n; i++) {
            a[i] = unit(reference, rows, i, length, other);
            b[i] = unit(stored, rows, i, length, other);
        }
        int[] from = new int[n];
        int moved = 0;
        boolean[] taken = new boolean[n];
        for (int i = 0; i < n; i++) {
            double most = -2;
            for (int j = 0; j < n; j++) {
                double dot = 0;
                for (int k = 0; k < length; k++) {
                    dot += a[i][k] * b[j][k];
                }
                if (dot > most) {
                    most = dot;
                    from[i] = j;
                }
            }
            moved += from[i] == i ? 0 : 1;
            taken[from[i]] = true;
        }
        for (boolean t : taken) {
            if (!t) {
                return;
            }
        }
        if (moved > 0) {
            int cols = reference.cols();
            String what = (rows ? "the output channels are" : "the input channels are") + " in another order than the original's (" + moved + " of " + n
                    + (rows ? ")" : ": a permutation was lost)");
            test(what, rows ? (r, c) -> stored.data()[from[r] * cols + c] : (r, c) -> stored.data()[r * cols + from[c]]);
        }
    }

    private static float[] unit(Matrix m, boolean row, int line, int length, int all) {
        float[] v = new float[length];
        double sum = 0;
        for (int k = 0; k < length; k++) {
            int at = (int) ((long) k * all / length);
            v[k] = row ? m.get(line, at) : m.get(at, line);
            sum += (double) v[k] * v[k];
        }
        if (sum == 0) {
            Arrays.fill(v, 0f);
            return v;
        }
        float f = (float) (1 / Math.sqrt(sum));
        for (int k = 0; k < length; k++) {
            v[k] *= f;
        }
        return v;
    }
}
