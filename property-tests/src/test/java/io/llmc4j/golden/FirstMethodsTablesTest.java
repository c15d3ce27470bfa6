package io.llmc4j.golden;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.kernel.Products;
import io.llmc4j.engine.method.AwqScale;
import io.llmc4j.engine.method.ClipSearch;
import io.llmc4j.engine.method.ColumnOrder;
import io.llmc4j.engine.method.GptqSolver;
import io.llmc4j.engine.method.InverseHessian;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.quant.WeightRoundings;
import io.llmc4j.engine.tensor.Matrix;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** The printed GPTQ, OWQ, AWQ and clip rows of the algorithm specification's 5.4 and 5.5, which LLMC's own functions gave on a 2 x 8 weight. */
class FirstMethodsTablesTest {

    private static final Quantizer FOUR = Quantizer.of(QuantScheme.integer(4, false, Granularity.PER_CHANNEL));
    private static final Quantizer FOUR_GROUPED = Quantizer.of(QuantScheme.integer(4, false, Granularity.perGroup(4)));

    private static Matrix w(int rows) {
        Matrix m = new Matrix(rows, 8);
        for (int i = 0; i < rows; i++) {
            for (int j = 0; j < 8; j++) {
                m.set(i, j, (float) (StrictMath.sin(1.7 * (8 * i + j) + 0.3) * (1 + 0.1 * j)));
            }
        }
        return m;
    }

    private static Matrix x() {
        Matrix m = new Matrix(16, 8);
        for (int t = 0; t < 16; t++) {
            for (int j = 0; j < 8; j++) {
                m.set(t, j, (float) (StrictMath.cos(0.9 * (8 * t + j)) * (1 + 0.3 * j)));
            }
        }
        return m;
    }

    private static float[] diagonal(Matrix h) {
        float[] d = new float[h.rows()];
        for (int i = 0; i < d.length; i++) {
            d[i] = h.get(i, i);
        }
        return d;
    }

    /** Two samples of eight tokens: (2 / 2) XᵀX. */
    private static InverseHessian inverse(ColumnOrder order) {
        return InverseHessian.of(Products.gram(x()), order, 0.01, "layer");
    }

    private static void holds(float[] scales, float[] zeros, float[] stored, float[] dequantized, GptqSolver.Solution s, Matrix rounded) {
        assertArrayEquals(scales, s.params().scales(), 1e-7f);
        assertArrayEquals(zeros, s.params().zeros());
        assertArrayEquals(stored, s.weight().rows(0, 1).data(), 1e-4f);
        // A step is 0.13: another code would be far outside.
        assertArrayEquals(dequantized, rounded.rows(0, 1).data(), 1e-4f);
    }

    @Test
    void gptqPerChannel() {
        GptqSolver.Solution s = new GptqSolver(FOUR, false, 128, false).solve(w(2), inverse(ColumnOrder.natural(8)));
        holds(new float[] {0.16187134f, 0.18130299f}, new float[] {9, 8},
                new float[] {0.29552f, 0.99897f, -0.63268f, -1.00130f, 1.01301f, 0.88834f, -1.32124f, -0.70126f},
                new float[] {0.32374f, 0.97123f, -0.64749f, -0.97123f, 0.97123f, 0.80936f, -1.29497f, -0.64749f},
                s, WeightRoundings.stored(FOUR, s.params()).fakeQuantize(s.weight()));
    }

    @Test
    void gptqByFallingDiagonalWithDynamicGroups() {
        ColumnOrder order = ColumnOrder.falling(diagonal(Products.gram(x())));
        assertArrayEquals(new int[] {7, 6, 5, 4, 3, 2, 1, 0}, order.order());
        GptqSolver.Solution s = new GptqSolver(FOUR_GROUPED, false, 128, false).solve(w(2), inverse(order));
        holds(new float[] {0.16187134f, 0.13365474f, 0.18130299f, 0.14478245f}, new float[] {9, 8, 8, 8},
                new float[] {0.42441f, 0.97676f, -0.58873f, -1.04991f, 0.94627f, 0.89859f, -1.39239f, -0.60899f},
                new float[] {0.40096f, 0.93558f, -0.53462f, -1.06924f, 0.97123f, 0.97123f, -1.45684f, -0.64749f},
                s, WeightRoundings.permuted(FOUR_GROUPED, order.order(), s.params()).fakeQuantize(s.weight()));
    }

    @Test
    void gptqByFallingDiagonalWithStaticGroups() {
        ColumnOrder order = ColumnOrder.falling(diagonal(Products.gram(x())));
        GptqSolver.Solution s = new GptqSolver(FOUR_GROUPED, false, 128, true).solve(w(2), inverse(order));
        holds(new float[] {0.13365474f, 0.16187134f, 0.14478245f, 0.18130299f}, new float[] {8, 9, 8, 8},
                new float[] {0.42441f, 0.97676f, -0.58873f, -1.04991f, 0.94627f, 0.89859f, -1.39239f, -0.60899f},
                new float[] {0.40096f, 0.93558f, -0.53462f, -1.06924f, 0.97123f, 0.97123f, -1.45684f, -0.64749f},
                s, WeightRoundings.stored(FOUR_GROUPED, s.params()).fakeQuantize(s.weight()));
    }

    @Test
    void owqKeepsTwoColumns() {
        ColumnOrder order = ColumnOrder.keeping(diagonal(Products.gram(x())), 2);
        assertArrayEquals(new int[] {0, 1, 2, 3, 4, 5, 7, 6}, order.order());
        GptqSolver.Solution s = new GptqSolver(FOUR, false, 128, false).solve(w(2), inverse(order));
        holds(new float[] {0.13501003f, 0.16968955f}, new float[] {7, 7},
                new float[] {0.29552f, 1.00136f, -0.63029f, -1.00283f, 0.99571f, 0.87771f, -1.47947f, -0.55358f},
                new float[] {0.27007f, 0.94507f, -0.67505f, -0.94507f, 0.94507f, 0.94507f, -1.47947f, -0.55358f},
                s, WeightRoundings.keepingColumns(FOUR, order.quantizedColumns(), s.params()).fakeQuantize(s.weight()));
    }

    /** Blocks of any width give the same walk where groups do not look at what a block has not spread yet. */
    @Test
    void blockSizeMovesNothingPerChannel() {
        Matrix expected = new GptqSolver(FOUR, false, 128, false).solve(w(70), inverse(ColumnOrder.natural(8))).weight();
        for (int size : new int[] {1, 2, 3, 5, 8}) {
            Matrix s = new GptqSolver(FOUR, false, size, false).solve(w(70), inverse(ColumnOrder.natural(8))).weight();
            assertArrayEquals(expected.data(), s.data(), 2e-6f, "blocks of " + size);
        }
    }

    @Test
    void dampingIsRaisedUntilThereIsAFactor() {
        Matrix h = new Matrix(2, 2, new float[] {1, 1.5f, 1.5f, 1});
        InverseHessian inverse = InverseHessian.of(h, ColumnOrder.natural(2), 0.01, "layer");
        assertTrue(inverse.raised());
        assertEquals(1.0, inverse.damping(), 1e-9);
        assertFalse(InverseHessian.of(Products.gram(x()), ColumnOrder.natural(8), 0.01, "layer").raised());
    }

    @Test
    void deadColumnsBecomeZero() {
        Matrix h = Products.gram(x());
        for (int i = 0; i < 8; i++) {
            h.set(3, i, 0);
            h.set(i, 3, 0);
        }
        InverseHessian inverse = InverseHessian.of(h, ColumnOrder.falling(diagonal(h)), 0.01, "layer");
        assertEquals(1, inverse.deadColumns());
        Matrix s = new GptqSolver(FOUR, false, 128, false).solve(w(2), inverse).weight();
        assertEquals(0f, s.get(0, 3));
        assertEquals(0f, s.get(1, 3));
    }

    private static float[] magnitudes(Matrix x, float[] factor) {
        float[] c = new float[8];
        for (int j = 0; j < 8; j++) {
            double sum = 0;
            for (int t = 0; t < x.rows(); t++) {
                sum += Math.abs(x.get(t, j) * factor[j]);
            }
            c[j] = (float) (sum / x.rows());
        }
        return c;
    }

    private static float[] ones() {
        float[] f = new float[8];
        Arrays.fill(f, 1);
        return f;
    }

    /** @return the best of twenty ratios for the first {@code rows} tokens */
    private static double bestRatio(AwqScale.Version version, int rows) {
        Quantizer three = Quantizer.of(QuantScheme.integer(3, true, Granularity.PER_CHANNEL));
        Matrix x = x().rows(0, rows);
        float[] importance = AwqScale.weightImportance(List.of(w(2)), Granularity.PER_CHANNEL);
        double best = Double.POSITIVE_INFINITY;
        double at = -1;
        for (int n = 0; n < 20; n++) {
            double loss = AwqScale.quadraticLoss(w(2), AwqScale.quadraticForm(Products.gram(x)), AwqScale.of(version, magnitudes(x, ones()), importance, n / 20.0), three);
            if (loss < best) {
                best = loss;
                at = n / 20.0;
            }
        }
        return at;
    }

    @Test
    void awqFirstVersion() {
        assertEquals(0.1, bestRatio(AwqScale.Version.V1, 16));
        assertArrayEquals(new float[] {1.250832f, 1.450602f, 0.940764f, 1.425899f, 0.772107f, 1.201071f, 0.689369f, 1.101262f},
                AwqScale.of(AwqScale.Version.V1, magnitudes(x(), ones()), AwqScale.weightImportance(List.of(w(2)), Granularity.PER_CHANNEL), 0.1), 1e-5f);
    }

    @Test
    void awqSecondVersion() {
        assertEquals(0.25, bestRatio(AwqScale.Version.V2, 16));
        assertArrayEquals(new float[] {0.868182f, 0.915937f, 0.973794f, 1.029448f, 1.047369f, 1.079639f, 1.130521f, 1.151832f},
                AwqScale.of(AwqScale.Version.V2, magnitudes(x(), ones()), new float[0], 0.25), 1e-5f);
    }

    @Test
    void awqTwoBatchesTheFirstChooses() {
        assertEquals(0.25, bestRatio(AwqScale.Version.V2, 8));
        float[] factor = new float[8];
        for (int j = 0; j < 8; j++) {
            factor[j] = (float) (0.2 + j * (3 - 0.2) / 7);
        }
        float[] first = AwqScale.of(AwqScale.Version.V2, magnitudes(x().rows(0, 8), ones()), new float[0], 0.25);
        float[] second = AwqScale.of(AwqScale.Version.V2, magnitudes(x().rows(8, 16), factor), new float[0], 0.25);
        float[] mean = new float[8];
        for (int j = 0; j < 8; j++) {
            mean[j] = 0.5f * first[j] + 0.5f * second[j];
        }
        assertArrayEquals(new float[] {0.743533f, 0.887801f, 1.007575f, 1.113059f, 1.168909f, 1.246722f, 1.336253f, 1.383870f}, mean, 1e-5f);
    }

    private static float[] kept(Quantizer q, boolean symmetric, int ranges) {
        Matrix w = w(64);
        ClipSearch.Ranges best = new ClipSearch(q, Optional.empty(), symmetric, false).best(w, x());
        int length = 8 / best.groups();
        float[] out = new float[ranges];
        for (int i = 0; i < ranges; i++) {
            float max = 0;
            for (int j = i * length; j < (i + 1) * length; j++) {
                max = Math.max(max, symmetric ? Math.abs(w.data()[j]) : w.data()[j]);
            }
            out[i] = best.hi()[i] / max;
        }
        return out;
    }

    @Test
    void clipSymmetric() {
        assertArrayEquals(new float[] {1, .85f, 1, .9f, 1, 1, .95f, .85f},
                kept(Quantizer.of(QuantScheme.integer(3, true, Granularity.PER_CHANNEL)), true, 8), 1e-6f);
    }

    @Test
    void clipAsymmetricGroups() {
        assertArrayEquals(new float[] {.95f, .95f, 1, .8f, .95f, 1, .95f, 1, .95f, 1, 1, 1, .9f, 1, .95f, .95f},
                kept(Quantizer.of(QuantScheme.integer(3, false, Granularity.perGroup(4))), false, 16), 1e-6f);
    }
}
