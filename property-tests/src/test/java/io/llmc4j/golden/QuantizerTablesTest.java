package io.llmc4j.golden;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.quant.ClipFactors;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.NumberFormat.Float.Path;
import io.llmc4j.engine.quant.QuantParams;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.quant.RangeRule;
import io.llmc4j.engine.quant.StaticRange;
import io.llmc4j.engine.tensor.Matrix;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** The printed tables of the algorithm specification, 5.1, 5.2 and the static rows of 5.5, computed by LLMC's classes on a 2 x 8 matrix. */
class QuantizerTablesTest {

    /** sin(1.7 (8 i + j) + 0.3) (1 + 0.1 j). */
    private static final Matrix W = sines();

    private static final Granularity CHANNEL = Granularity.PER_CHANNEL;

    private static Matrix sines() {
        Matrix w = new Matrix(2, 8);
        for (int i = 0; i < 2; i++) {
            for (int j = 0; j < 8; j++) {
                w.set(i, j, (float) (StrictMath.sin(1.7 * (8 * i + j) + 0.3) * (1 + 0.1 * j)));
            }
        }
        return w;
    }

    @Test
    void theInputIsTheTables() {
        assertArrayEquals(new float[] {0.2955202f, 1.0002272f, -0.6358033f, -1.0045938f, 1.0205567f, 0.8773758f, -1.4075133f, -0.6089898f},
                Arrays.copyOf(W.data(), 8), 6e-8f);
    }

    @Test
    void integerSymmetric() {
        table(QuantScheme.integer(4, true, CHANNEL), new double[] {0.2010733187198639, 0.19627587497234344}, new double[0], 0.20107332, 1.0053666,
                -0.60321999, -1.0053666, 1.0053666, 0.80429327, -1.4075133, -0.60321999);
        QuantParams p = Quantizer.of(QuantScheme.integer(8, true, Granularity.PER_TENSOR)).params(W);
        assertArrayEquals(new float[] {0.011082781478762627f}, p.scales());
    }

    @Test
    void integerAsymmetric() {
        table(QuantScheme.integer(4, false, CHANNEL), new double[] {0.16187134385108948, 0.1813029944896698}, new double[] {9, 8}, 0.32374269,
                0.97122806, -0.64748538, -0.97122806, 0.97122806, 0.80935669, -1.4568421, -0.64748538);
        table(QuantScheme.integer(4, false, CHANNEL).withRoundZeroPoint(false), new double[] {0.16187134385108948, 0.1813029944896698},
                new double[] {8.695259094238281, 7.578094005584717}, 0.37307152, 1.0205569, -0.59815657, -1.0837706, 1.0205569, 0.85868555, -1.4075133,
                -0.59815657);
        table(QuantScheme.integer(4, false, Granularity.perGroup(4)),
                new double[] {0.13365474343299866, 0.16187134385108948, 0.14478245377540588, 0.1813029944896698}, new double[] {8, 9, 8, 8}, 0.26730949,
                0.93558323, -0.66827369, -1.0692379, 0.97122806, 0.80935669, -1.4568421, -0.64748538);
    }

    /** LLMC's factors compound; the switch that does not compound gives another range (Appendix D.2). */
    @Test
    void mse() {
        QuantScheme s = QuantScheme.integer(3, false, CHANNEL).withRange(RangeRule.Mse.DEFAULT);
        table(s, new double[] {0.3264346122741699, 0.36562108993530273}, new double[] {4, 4}, 0.32643461, 0.97930384, -0.65286922, -0.97930384, 0.97930384,
                0.97930384, -1.3057384, -0.65286922);
        float[] plain = Quantizer.of(s.withRange(new RangeRule.Mse(1, 0.8, 100, false))).params(W).scales();
        assertNotEquals(0.3264346122741699f, plain[0]);
        float full = Quantizer.of(s.withRange(new RangeRule.MinMax())).params(W).scales()[0];
        double ratio = plain[0] / full;
        assertEquals(Math.rint(ratio * 100) / 100, ratio, 1e-6, "a factor that does not compound is a multiple of 1/100");
    }

    /** The reference sums in float32 blocks of its own: 1e-5, as the table says. */
    @Test
    void hqq() {
        QuantScheme s = QuantScheme.integer(4, false, CHANNEL).withRoundZeroPoint(false).withRange(new RangeRule.Hqq(0.7, 10, 1.01, 20, false));
        QuantParams p = Quantizer.of(s).params(W);
        assertArrayEquals(new float[] {0.16187134385108948f, 0.1813029944896698f}, p.scales());
        assertArrayEquals(new float[] {8.857707023620605f, 7.521299362182617f}, p.zeros(), 1e-5f);
        assertArrayEquals(new float[] {0.34677583f, 0.99426121f, -0.62445223f, -0.94819492f, 0.99426121f, 0.83238989f, -1.4338089f, -0.62445223f},
                Arrays.copyOf(Quantizer.of(s).fakeQuantize(W, p).data(), 8), 2e-6f);
        // Errors below 0.17 shrink to nothing while beta is 10, so annealing shows on a coarser grid only.
        QuantScheme coarse = s.withFormat(NumberFormat.Int.of(2, false));
        float[] frozen = Quantizer.of(coarse).params(W).zeros();
        float[] annealed = Quantizer.of(coarse.withRange(RangeRule.Hqq.DEFAULT)).params(W).zeros();
        assertNotEquals(frozen[0], annealed[0], "annealing moves the zero point");
        assertEquals(frozen[0], annealed[0], 0.1f);
    }

    @Test
    void learnable() {
        Quantizer q = Quantizer.of(QuantScheme.integer(4, false, CHANNEL).withRange(new RangeRule.Learnable()));
        QuantParams p = new ClipFactors(new float[] {2, 2}, new float[] {4, 4}).params(q, W);
        assertArrayEquals(new float[] {0.15207338333129883f, 0.16896213591098785f}, p.scales());
        assertArrayEquals(new float[] {9, 8}, p.zeros());
        row(new double[] {0.30414677, 0.9124403, -0.60829353, -1.0645137, 0.9124403, 0.9124403, -1.3686604, -0.60829353}, q.fakeQuantize(W, p));
        float[] open = {Float.POSITIVE_INFINITY, Float.POSITIVE_INFINITY};
        assertArrayEquals(q.params(W).scales(), new ClipFactors(open, open).params(q, W).scales());
    }

    @Test
    void cornersOfIntegerRanges() {
        float[] zero = Quantizer.of(QuantScheme.integer(4, true, CHANNEL)).params(new Matrix(1, 8)).scales();
        assertEquals(1.4286e-06f, zero[0], 1e-10f);
        Matrix positive = new Matrix(1, 16);
        for (int i = 0; i < 16; i++) {
            positive.set(0, i, 1 + i / 15f);
        }
        Quantizer rounded = Quantizer.of(QuantScheme.integer(4, false, CHANNEL));
        assertEquals(1 / 15f, rounded.params(positive).scales()[0]);
        assertEquals(0f, rounded.params(positive).zeros()[0]);
        for (float v : rounded.fakeQuantize(positive).data()) {
            assertEquals(1f, v);
        }
        Quantizer real = Quantizer.of(QuantScheme.integer(4, false, CHANNEL).withRoundZeroPoint(false));
        assertEquals(-15f, real.params(positive).zeros()[0], 1e-6f);
        assertArrayEquals(positive.data(), real.fakeQuantize(positive).data(), 1e-6f);
    }

    /** Scalars through the emulated rounding; a static scale of 1 lets outliers past the format's largest (ODD-10). */
    @Test
    void emulatedScalars() {
        double[][] rows = {
            {0.24, 0, 0.25, 0.234375, 0.25}, {0.25, 0.5, 0.25, 0.25, 0.25}, {0.75, 1, 0.75, 0.75, 0.75}, {1.25, 1.5, 1.25, 1.25, 1.25},
            {2.5, 3, 2.5, 2.5, 2.5}, {-2.5, -3, -2.5, -2.5, -2.5}, {3.5, 4, 3.5, 3.5, 3.5}, {5, 6, 5, 5, 5}, {29, 6, 28, 30, 28}, {449, 6, 28, 448, 448},
            {470, 6, 28, 480, 448}, {500, 6, 28, 480, 512}, {1e6, 6, 28, 480, 114688}, {0x1p-10, 0, 0, 0x1p-9, 0x1p-10}, {0.0019, 0, 0, 0x1p-9, 0x1p-9}};
        String[] labels = {"e2m1", "e3m2", "e4m3", "e5m2"};
        for (int f = 0; f < labels.length; f++) {
            Quantizer q = Quantizer.of(QuantScheme.floating(labels[f], Path.EMULATED, Granularity.PER_TENSOR));
            for (double[] row : rows) {
                float got = q.fakeQuantize(new Matrix(1, 1, new float[] {(float) row[0]}), new QuantParams(new float[] {1f})).data()[0];
                assertEquals((float) row[f + 1], got, labels[f] + " of " + row[0]);
            }
        }
    }

    @Test
    void floatRows() {
        assertEquals(0.23458554f, Quantizer.of(QuantScheme.floating("e2m1", Path.EMULATED, CHANNEL)).params(W).scales()[0]);
        row(new double[] {0.35187832, 0.93834215, -0.70375663, -0.93834215, 0.93834215, 0.93834215, -1.4075133, -0.70375663},
                Quantizer.of(QuantScheme.floating("e2m1", Path.EMULATED, CHANNEL)).fakeQuantize(W));
        assertEquals(0.0031417706f, Quantizer.of(QuantScheme.floating("e4m3", Path.EMULATED, CHANNEL)).params(W).scales()[0]);
        row(new double[] {0.30160999, 1.0053666, -0.65348828, -1.0053666, 1.0053666, 0.90482992, -1.4075133, -0.60321999},
                Quantizer.of(QuantScheme.floating("e4m3", Path.EMULATED, CHANNEL)).fakeQuantize(W));
        row(new double[] {0.35187832, 0.93834215, -0.70375663, -0.93834215, 0.93834215, 0.93834215, -1.4075133, -0.70375663},
                Quantizer.of(QuantScheme.floating("e2m1", Path.ADAPTIVE, CHANNEL)).fakeQuantize(W));
        assertArrayEquals(new float[] {0.3049612f, 1.0321765f, -0.65683955f, -1.0321765f, 1.0321765f, 0.84450799f, -1.4075134f, -0.60992241f},
                Arrays.copyOf(Quantizer.of(QuantScheme.floating("e4m3", Path.ADAPTIVE, CHANNEL)).fakeQuantize(W).data(), 8), 1e-6f);
    }

    @Test
    void staticRanges() {
        assertEquals(0.04670688f, calibrated(new RangeRule.StaticMinMax()).params(staticQuantizer()).scales()[0]);
        assertEquals(0.02405204f, calibrated(new RangeRule.StaticMovingMinMax()).params(staticQuantizer()).scales()[0], 1e-8f);
        StaticRange histogram = calibrated(new RangeRule.StaticHistogram(2048));
        assertEquals(0.07078645f, histogram.params(staticQuantizer()).scales()[0], 1e-8f);
        assertEquals(new StaticRange.Ends(-8.9898796f, 8.5005989f, 32557), histogram.range());
    }

    @Test
    void staticRangesThatCannotBe() {
        QuantScheme s = QuantScheme.integer(8, false, Granularity.PER_TENSOR).withStatic(true);
        assertThrows(BadInput.class, () -> StaticRange.of(s.withGranularity(Granularity.PER_TOKEN)));
        assertThrows(BadInput.class, () -> StaticRange.of(s.withRange(new RangeRule.StaticHistogram(2048))), "LLMC refuses an asymmetric histogram");
        assertThrows(BadInput.class, () -> StaticRange.of(s).range(), "no sample");
    }

    private static Quantizer staticQuantizer() {
        return Quantizer.of(QuantScheme.integer(8, true, Granularity.PER_TENSOR));
    }

    private static StaticRange calibrated(RangeRule rule) {
        StaticRange range = StaticRange.of(QuantScheme.integer(8, true, Granularity.PER_TENSOR).withRange(rule));
        for (int s = 0; s < 3; s++) {
            Matrix sample = new Matrix(1, 1024);
            for (int k = 0; k < 1024; k++) {
                sample.set(0, k, (float) (StrictMath.sin(0.37 * k + s) * (1 + s) * (k % 97 == 0 ? 3 : 1)));
            }
            range.add(sample);
        }
        return range;
    }

    private static void table(QuantScheme scheme, double[] scales, double[] zeros, double... row0) {
        Quantizer q = Quantizer.of(scheme);
        QuantParams p = q.params(W);
        assertArrayEquals(floats(scales), p.scales());
        assertArrayEquals(floats(zeros), p.zeros());
        row(row0, q.fakeQuantize(W, p));
    }

    /** The table has eight digits: equal when they name the same float32, or the next one. */
    private static void row(double[] expected, Matrix got) {
        for (int i = 0; i < expected.length; i++) {
            float e = (float) expected[i];
            assertTrue(Math.abs(got.data()[i] - e) <= Math.ulp(e), i + ": " + got.data()[i] + ", table " + expected[i]);
        }
    }

    private static float[] floats(double[] v) {
        float[] f = new float[v.length];
        for (int i = 0; i < f.length; i++) {
            f[i] = (float) v[i];
        }
        return f;
    }
}
