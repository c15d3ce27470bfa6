package io.llmc4j.laws;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.quant.ActivationRoundings;
import io.llmc4j.engine.quant.ClipFactors;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.NumberFormat.Float.Path;
import io.llmc4j.engine.quant.QuantParams;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.quant.RangeRule;
import io.llmc4j.engine.quant.ScaleFormat;
import io.llmc4j.engine.quant.SoftRounding;
import io.llmc4j.engine.quant.WeightRounding;
import io.llmc4j.engine.quant.WeightRoundings;
import io.llmc4j.engine.tensor.Matrix;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;

/** What holds for every scheme and every weight. */
class QuantizerLaws {

    private static final int COLS = 64;

    @Provide
    Arbitrary<QuantScheme> fixedGrids() {
        return Arbitraries.of(fixedGridSchemes());
    }

    private static List<QuantScheme> fixedGridSchemes() {
        Granularity[] cuts = {Granularity.PER_TENSOR, Granularity.PER_CHANNEL, Granularity.PER_TOKEN, Granularity.perGroup(16), Granularity.perHead(4),
            Granularity.perBlock(5, 12)};
        List<QuantScheme> out = new ArrayList<>();
        for (Granularity g : cuts) {
            for (int bits : new int[] {2, 3, 4, 5, 6, 8}) {
                out.add(QuantScheme.integer(bits, true, g));
                out.add(QuantScheme.integer(bits, false, g));
                out.add(QuantScheme.integer(bits, false, g).withRoundZeroPoint(false));
            }
            for (String label : new String[] {"e2m1", "e3m2", "e2m3", "e4m3", "e5m2"}) {
                out.add(QuantScheme.floating(label, Path.EMULATED, g));
                out.add(QuantScheme.floating(label, Path.NEAREST_EVEN, g));
            }
        }
        for (String label : new String[] {"e2m1", "e3m2", "e2m3", "e4m3", "e5m2"}) {
            out.add(QuantScheme.microscaling(label));
            out.add(QuantScheme.microscaling(label).withScaleFormat(ScaleFormat.E8M0_ROUNDED));
        }
        out.add(QuantScheme.nvfp4());
        return out;
    }

    @Property(tries = 300)
    void fakeQuantizationIsWhatTheCodesSay(@ForAll("fixedGrids") QuantScheme s, @ForAll @IntRange(min = 1, max = 6) int rows, @ForAll long seed) {
        Quantizer q = Quantizer.of(s);
        Matrix x = weights(4 * rows, seed);
        assertArrayEquals(q.fakeQuantize(x).data(), q.quantize(x).dequantize().data());
    }

    @Property(tries = 300)
    void quantizedValuesStayWhereTheyAre(@ForAll("fixedGrids") QuantScheme s, @ForAll long seed) {
        Quantizer q = Quantizer.of(s);
        Matrix x = weights(8, seed);
        QuantParams p = q.params(x);
        Matrix once = q.fakeQuantize(x, p);
        if (s.roundZeroPoint()) {
            assertArrayEquals(q.quantize(x, p).codes(), q.quantize(once, p).codes(), "codes of quantized values");
            assertArrayEquals(once.data(), q.fakeQuantize(once, p).data());
        }
    }

    @Property(tries = 60)
    void intoAnotherMatrixOrItself(@ForAll("fixedGrids") QuantScheme s, @ForAll long seed) {
        Quantizer q = Quantizer.of(s);
        Matrix x = weights(8, seed);
        float[] wanted = q.fakeQuantize(x).data();
        Matrix out = new Matrix(8, COLS);
        q.fakeQuantizeInto(x, out);
        assertArrayEquals(wanted, out.data());
        q.fakeQuantizeInto(x, x);
        assertArrayEquals(wanted, x.data());
    }

    /** No value of an integer range is further than half a step from its dequantized one (a step where the zero point had to be rounded). */
    @Property(tries = 300)
    void integersErrByHalfAStep(@ForAll @IntRange(min = 2, max = 8) int bits, @ForAll boolean symmetric, @ForAll boolean rounded, @ForAll long seed) {
        QuantScheme s = QuantScheme.integer(bits, symmetric, Granularity.perGroup(16)).withRoundZeroPoint(rounded || symmetric);
        Quantizer q = Quantizer.of(s);
        Matrix x = weights(8, seed);
        QuantizedMatrix m = q.quantize(x);
        Matrix y = m.dequantize();
        double bound = symmetric || !rounded ? 0.5 : 1.0;
        for (int r = 0; r < 8; r++) {
            for (int c = 0; c < COLS; c++) {
                float step = m.scales()[m.rangeOf(r, c)];
                double err = Math.abs((double) x.get(r, c) - y.get(r, c));
                assertTrue(err <= step * bound * (1 + 1e-4) + 1e-12, () -> "error " + err + " with step " + step);
            }
        }
    }

    @Property(tries = 200)
    void rowsDoNotKnowEachOther(@ForAll("fixedGrids") QuantScheme s, @ForAll long seed) {
        Granularity.Kind kind = s.granularity().kind();
        if (s.scaleFormat() == ScaleFormat.E4M3_TWO_LEVEL
                || kind != Granularity.Kind.PER_CHANNEL && kind != Granularity.Kind.PER_TOKEN && kind != Granularity.Kind.PER_GROUP) {
            return;
        }
        Quantizer q = Quantizer.of(s);
        Matrix x = weights(6, seed);
        Matrix all = q.fakeQuantize(x);
        for (int r = 0; r < 6; r++) {
            assertArrayEquals(q.fakeQuantize(x.rows(r, r + 1)).data(), all.rows(r, r + 1).data());
        }
    }

    @Property(tries = 40)
    void threadsAndKernelsChangeNothing(@ForAll("fixedGrids") QuantScheme scheme, @ForAll boolean searched, @ForAll long seed) {
        boolean contiguous = scheme.granularity().kind() != Granularity.Kind.PER_BLOCK;
        QuantScheme s = searched && contiguous ? scheme.withRange(new RangeRule.Mse(1, 0.2, 20, true)) : scheme;
        Matrix x = weights(256, seed);
        int threads = Parallel.threads();
        Kernels kernels = Kernels.get();
        try {
            Parallel.setThreads(1);
            Kernels.use(Kernels.named("scalar"));
            QuantizedMatrix one = Quantizer.of(s).quantize(x);
            float[] fake = Quantizer.of(s).fakeQuantize(x).data();
            Parallel.setThreads(3);
            Kernels.use(kernels);
            QuantizedMatrix three = Quantizer.of(s).quantize(x);
            assertArrayEquals(one.codes(), three.codes());
            assertArrayEquals(one.scales(), three.scales());
            assertArrayEquals(one.zeros(), three.zeros());
            assertArrayEquals(fake, Quantizer.of(s).fakeQuantize(x).data());
        } finally {
            Parallel.setThreads(threads);
            Kernels.use(kernels);
        }
    }

    @Property(tries = 100)
    void aColumnIsTheColumnOfTheMatrix(@ForAll("fixedGrids") QuantScheme scheme, @ForAll @IntRange(min = 0, max = COLS - 1) int column, @ForAll long seed) {
        Quantizer q = Quantizer.of(scheme.withGranularity(Granularity.PER_CHANNEL).withScaleFormat(ScaleFormat.FLOAT));
        Matrix x = weights(12, seed);
        QuantParams p = q.params(x);
        float[] in = new float[12];
        float[] out = new float[12];
        for (int r = 0; r < 12; r++) {
            in[r] = x.get(r, column);
        }
        q.fakeQuantizeColumn(12, in, 0, p.scales(), p.zeros(), out, 0);
        Matrix all = q.fakeQuantize(x, p);
        for (int r = 0; r < 12; r++) {
            assertEquals(all.get(r, column), out[r]);
        }
    }

    /** Act-order: grouping permuted columns is permuting, grouping, and permuting back; the codes lie in the weight's own order. */
    @Property(tries = 60)
    void permutedGroups(@ForAll boolean symmetric, @ForAll long seed) {
        Quantizer q = Quantizer.of(QuantScheme.integer(4, symmetric, Granularity.perGroup(16)));
        Matrix x = weights(5, seed);
        int[] order = shuffled(seed);
        WeightRounding rounding = WeightRoundings.permuted(q, order);
        Matrix fake = rounding.fakeQuantize(x);
        QuantizedMatrix codes = rounding.codes(x).orElseThrow();
        assertArrayEquals(fake.data(), codes.dequantize().data());
        Matrix y = new Matrix(5, COLS);
        for (int r = 0; r < 5; r++) {
            for (int j = 0; j < COLS; j++) {
                y.set(r, j, x.get(r, order[j]));
            }
        }
        Matrix direct = q.fakeQuantize(y);
        for (int r = 0; r < 5; r++) {
            for (int j = 0; j < COLS; j++) {
                assertEquals(direct.get(r, j), fake.get(r, order[j]));
            }
        }
        assertArrayEquals(fake.data(), WeightRoundings.permuted(q, order, q.params(y)).fakeQuantize(x).data());
    }

    @Property(tries = 60)
    void keptColumnsAreKept(@ForAll long seed) {
        Quantizer q = Quantizer.of(QuantScheme.integer(3, false, Granularity.perGroup(8)));
        Matrix x = weights(5, seed);
        int[] quantized = Arrays.copyOf(shuffled(seed), 48);
        WeightRounding rounding = WeightRoundings.keepingColumns(q, quantized);
        Matrix y = rounding.fakeQuantize(x);
        boolean[] isQuantized = new boolean[COLS];
        for (int c : quantized) {
            isQuantized[c] = true;
        }
        for (int r = 0; r < 5; r++) {
            for (int c = 0; c < COLS; c++) {
                if (!isQuantized[c]) {
                    assertEquals(x.get(r, c), y.get(r, c));
                }
            }
        }
        assertTrue(rounding.codes(x).isEmpty());
        assertFalse(rounding.whyNoCodes().isEmpty());
        assertThrows(BadInput.class, () -> WeightRoundings.keepingColumns(q, Arrays.copyOf(quantized, 47)).fakeQuantize(x));
    }

    @Property(tries = 40)
    void inputChannelsAreRowsOfTheTranspose(@ForAll long seed) {
        Quantizer q = Quantizer.of(QuantScheme.integer(4, true, Granularity.PER_CHANNEL));
        Matrix x = weights(5, seed);
        assertArrayEquals(q.fakeQuantize(x.transpose()).transpose().data(), WeightRoundings.perInputChannel(q).fakeQuantize(x).data());
        assertArrayEquals(q.fakeQuantize(x.transpose()).transpose().data(),
                WeightRoundings.perInputChannel(q, q.params(x.transpose())).fakeQuantize(x).data());
    }

    @Property(tries = 40)
    void clippedRangesShrink(@ForAll boolean symmetric, @ForAll long seed) {
        Quantizer q = Quantizer.of(QuantScheme.integer(4, symmetric, Granularity.perGroup(16)).withRange(new RangeRule.Learnable()));
        Matrix x = weights(3, seed);
        float[] upper = new float[12];
        Arrays.fill(upper, ClipFactors.logit(0.75f));
        ClipFactors clip = new ClipFactors(upper, symmetric ? new float[0] : upper);
        float[] full = q.params(x).scales();
        float[] clipped = clip.params(q, x).scales();
        for (int r = 0; r < 12; r++) {
            assertEquals(0.75, clipped[r] / full[r], 1e-6);
        }
        assertArrayEquals(q.fakeQuantize(x, clip.params(q, x)).data(), WeightRoundings.clipped(q, clip).fakeQuantize(x).data());
    }

    /** A soft part of 1 where the fraction is above one half, else 0, is rounding to the nearest; the output factor scales what comes out. */
    @Property(tries = 60)
    void softRounding(@ForAll boolean symmetric, @ForAll long seed) {
        QuantScheme s = QuantScheme.integer(4, symmetric, Granularity.perGroup(16));
        Quantizer q = Quantizer.of(s);
        Matrix x = weights(4, seed);
        QuantParams p = q.params(x);
        Matrix v = new Matrix(4, COLS);
        for (int i = 0; i < v.data().length; i++) {
            float t = x.data()[i] / p.scale(i / 16);
            v.data()[i] = (float) (Math.rint(t) - Math.floor(t));
        }
        assertArrayEquals(q.fakeQuantize(x, p).data(), SoftRounding.fakeQuantize(s, x, p, v).data());
        float[] factor = new float[p.ranges()];
        Arrays.fill(factor, 2f);
        float[] doubled = q.fakeQuantize(x, p).data();
        for (int i = 0; i < doubled.length; i++) {
            doubled[i] *= 2f;
        }
        assertArrayEquals(doubled, q.fakeQuantize(x, p.withOutputFactor(factor)).data());
        assertArrayEquals(doubled, q.quantize(x, p.withOutputFactor(factor)).dequantize().data());
    }

    /** Per tensor means each sample by itself: the batch does not change a sample's numbers. */
    @Property(tries = 40)
    void samplesDoNotKnowEachOther(@ForAll("fixedGrids") QuantScheme s, @ForAll long seed) {
        if (s.scaleFormat() == ScaleFormat.E4M3_TWO_LEVEL) {
            return;
        }
        Matrix x = weights(20, seed);
        Matrix together = ActivationRoundings.dynamic(Quantizer.of(s)).fakeQuantize(x, 4, 5);
        if (s.granularity().kind() == Granularity.Kind.PER_BLOCK && 5 % s.granularity().size() != 0) {
            return;
        }
        for (int b = 0; b < 4; b++) {
            Matrix alone = ActivationRoundings.dynamic(Quantizer.of(s)).fakeQuantize(x.rows(5 * b, 5 * b + 5), 1, 5);
            assertArrayEquals(alone.data(), together.rows(5 * b, 5 * b + 5).data());
        }
    }

    /** Spec 1.12 against its meaning: the nearest of the grid's values, ties away from zero, for every float16 that is finite. */
    @Example
    void emulatedRoundingIsNearest() {
        for (String label : new String[] {"e2m1", "e3m2", "e4m3", "e5m2"}) {
            nearest(label, Path.EMULATED);
        }
    }

    /** The hardware's rounding: the nearest, ties to the even code, never past the largest value that the format stores. */
    @Example
    void hardwareRoundingIsNearestEven() {
        for (String label : new String[] {"e2m1", "e2m3", "e3m2", "e4m3", "e5m2"}) {
            nearest(label, Path.NEAREST_EVEN);
        }
    }

    private static void nearest(String label, Path path) {
        int e = label.charAt(1) - '0';
        int m = label.charAt(3) - '0';
        boolean even = path == Path.NEAREST_EVEN;
        List<Double> grid = new ArrayList<>();
        double cap = even && label.equals("e4m3") ? 448 : even && label.equals("e5m2") ? 57344 : Double.MAX_VALUE;
        for (int code = 0; code < 1 << (e + m); code++) {
            int field = code >> m;
            double mantissa = code & ((1 << m) - 1);
            double v = Math.scalb((field == 0 ? 0 : 1) + mantissa / (1 << m), Math.max(field, 1) - ((1 << (e - 1)) - 1));
            if (v <= cap) {
                grid.add(v);
            }
        }
        Quantizer q = Quantizer.of(QuantScheme.floating(label, path, Granularity.PER_TENSOR));
        for (int h = 0; h < 1 << 16; h++) {
            float x = Float.float16ToFloat((short) h);
            if (!Float.isFinite(x)) {
                continue;
            }
            double a = Math.abs((double) x);
            int at = 0;
            while (at + 1 < grid.size() && grid.get(at + 1) <= a) {
                at++;
            }
            if (at + 1 < grid.size()) {
                double down = a - grid.get(at);
                double up = grid.get(at + 1) - a;
                if (up < down || up == down && (even ? at % 2 == 1 : true)) {
                    at++;
                }
            }
            float wanted = (float) Math.copySign(grid.get(at), x);
            float got = q.fakeQuantize(new Matrix(1, 1, new float[] {x}), new QuantParams(new float[] {1f})).data()[0];
            assertTrue(wanted == got, () -> label + " " + path + " of " + x + ": " + got + ", nearest " + wanted);
        }
    }

    /** OCP microscaling: the scale is the largest power of two with which the maximum's exponent is the format's largest. */
    @Property(tries = 100)
    void microscalingScales(@ForAll @IntRange(min = 0, max = 4) int which, @ForAll @IntRange(min = -100, max = 100) int exponent, @ForAll long seed) {
        String label = new String[] {"e2m1", "e2m3", "e3m2", "e4m3", "e5m2"}[which];
        int largest = new int[] {2, 2, 4, 8, 15}[which];
        Matrix x = weights(2, seed);
        for (int i = 0; i < x.data().length; i++) {
            x.data()[i] = Math.scalb(x.data()[i], exponent);
        }
        QuantizedMatrix m = Quantizer.of(QuantScheme.microscaling(label)).quantize(x);
        for (int g = 0; g < 4; g++) {
            float max = 0;
            for (int i = 32 * g; i < 32 * g + 32; i++) {
                max = Math.max(max, Math.abs(x.data()[i]));
            }
            float scale = m.scales()[g];
            assertEquals(Math.max(Math.getExponent(max) - largest, -127), Math.getExponent((double) scale));
            assertEquals(0, Float.floatToRawIntBits(scale) & 0x3fffff, "a power of two");
        }
        assertEquals(Math.scalb(1f, -127), Quantizer.of(QuantScheme.microscaling(label)).params(new Matrix(1, 32)).scales()[0]);
    }

    @Example
    void whatCannotBeIsRefused() {
        QuantScheme group = QuantScheme.integer(4, true, Granularity.perGroup(48));
        assertThrows(BadInput.class, () -> Quantizer.of(group).fakeQuantize(weights(2, 1)), "48 does not divide 64");
        Quantizer block = Quantizer.of(QuantScheme.integer(4, true, Granularity.perBlock(8)).withRange(RangeRule.Mse.DEFAULT));
        assertThrows(BadInput.class, () -> block.params(weights(2, 1)));
        Quantizer adaptive = Quantizer.of(QuantScheme.floating("e4m3", Path.ADAPTIVE, Granularity.PER_CHANNEL));
        assertThrows(BadInput.class, () -> adaptive.quantize(weights(2, 1)));
        assertThrows(BadInput.class, () -> Quantizer.of(QuantScheme.floating("e4m7", Path.EMULATED, Granularity.PER_CHANNEL)).quantize(weights(2, 1)));
        assertThrows(BadInput.class, () -> Quantizer.of(QuantScheme.integer(4, true, Granularity.PER_CHANNEL).withScaleFormat(ScaleFormat.E8M0)));
        assertThrows(BadInput.class, () -> NumberFormat.Float.of("fp8", Path.ADAPTIVE));
        assertThrows(BadInput.class, () -> Quantizer.of(QuantScheme.floating("e4m3", Path.EMULATED, Granularity.PER_CHANNEL)
                .withRange(RangeRule.Hqq.DEFAULT)).params(weights(2, 1)));
    }

    /** A code cannot say NaN, and none is made up for it. */
    @Property(tries = 60)
    void notANumberHasNoCode(@ForAll("fixedGrids") QuantScheme s, @ForAll @IntRange(min = 0, max = 8 * COLS - 1) int at,
                             @ForAll @IntRange(min = 0, max = 2) int which, @ForAll long seed) {
        Matrix x = weights(8, seed);
        Quantizer q = Quantizer.of(s);
        QuantParams before = q.params(x);
        x.data()[at] = new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}[which];
        assertThrows(BadInput.class, () -> q.quantize(x));
        assertThrows(BadInput.class, () -> q.quantize(x, before));
        if (which == 0) {
            assertTrue(Float.isNaN(q.fakeQuantize(x, before).data()[at]), "fake quantization keeps NaN to be seen");
        }
    }

    /** A row shorter than the group is one range, as LLMC has it. */
    @Example
    void shortRowsAreOneRange() {
        Matrix x = weights(3, 5);
        assertArrayEquals(Quantizer.of(QuantScheme.integer(4, true, Granularity.PER_CHANNEL)).fakeQuantize(x).data(),
                Quantizer.of(QuantScheme.integer(4, true, Granularity.perGroup(128))).fakeQuantize(x).data());
        QuantizedMatrix m = Quantizer.of(QuantScheme.integer(4, true, Granularity.perGroup(128))).quantize(x);
        assertEquals(2, m.rangeOf(2, 60));
    }

    private static int[] shuffled(long seed) {
        int[] order = new int[COLS];
        Random random = new Random(seed);
        for (int i = 0; i < COLS; i++) {
            int j = random.nextInt(i + 1);
            order[i] = order[j];
            order[j] = i;
        }
        return order;
    }

    /** Bell-shaped weights, rows of differing size, some outliers; both signs in every run of eight, so that zero lies in each range. */
    private static Matrix weights(int rows, long seed) {
        Random random = new Random(seed);
        Matrix m = new Matrix(rows, COLS);
        for (int r = 0; r < rows; r++) {
            double size = Math.pow(10, random.nextInt(5) - 3);
            for (int c = 0; c < COLS; c++) {
                double v = random.nextGaussian() * size * (random.nextInt(40) == 0 ? 10 : 1);
                m.set(r, c, (float) (c % 8 == 0 ? Math.abs(v) + size / 10 : c % 8 == 1 ? -Math.abs(v) - size / 10 : v));
            }
        }
        return m;
    }
}
