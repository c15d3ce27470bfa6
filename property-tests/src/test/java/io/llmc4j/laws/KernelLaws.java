package io.llmc4j.laws;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.llmc4j.engine.kernel.Activation;
import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.kernel.ScalarKernels;
import java.util.Arrays;
import java.util.Random;
import java.util.function.BiFunction;
import java.util.function.Function;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.ShrinkingMode;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.lifecycle.AfterContainer;

/** Law 1 and 2: every kernel gives the bits of its scalar definition, for every vector width, length, offset and number of threads. */
class KernelLaws {

    private static final Kernels SCALAR = new ScalarKernels();
    private static final int THREADS = Parallel.threads();

    @AfterContainer
    static void restoreThreads() {
        Parallel.setThreads(THREADS);
    }

    /** Values a kernel meets: normal, huge, tiny, subnormal, both zeros, and (one time in four) infinities and NaN. */
    private static float[] values(Random r, int n) {
        int mood = r.nextInt(4);
        float[] v = new float[n];
        for (int i = 0; i < n; i++) {
            v[i] = switch (mood) {
                case 0 -> (float) r.nextGaussian();
                case 1 -> (float) (r.nextGaussian() * Math.scalb(1.0, r.nextInt(60) - 30));
                case 2 -> r.nextInt(5) == 0 ? (r.nextBoolean() ? 0f : -0f) : (float) (r.nextGaussian() * Math.scalb(1.0, r.nextInt(300) - 160));
                default -> r.nextInt(40) == 0 ? new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}[r.nextInt(3)]
                        : (float) (8 * r.nextGaussian());
            };
        }
        return v;
    }

    private static void sameBits(float[] expected, float[] actual, String where) {
        for (int i = 0; i < expected.length; i++) {
            if (Float.floatToIntBits(expected[i]) != Float.floatToIntBits(actual[i])) {
                assertEquals(Float.toHexString(expected[i]), Float.toHexString(actual[i]), where + " at " + i);
            }
        }
    }

    /** Runs one kernel on the scalar and on every vector width, each on its own copy of the array that it writes. */
    private static void law(String what, float[] out, BiFunction<Kernels, float[], Float> kernel) {
        float[] expected = out.clone();
        float value = kernel.apply(SCALAR, expected);
        VectorWidths.ALL.forEach((bits, k) -> {
            float[] actual = out.clone();
            float got = kernel.apply(k, actual);
            assertEquals(Float.floatToIntBits(value), Float.floatToIntBits(got), () -> what + ", " + bits + " bits: " + value + " became " + got);
            sameBits(expected, actual, what + ", " + bits + " bits");
        });
    }

    private static BiFunction<Kernels, float[], Float> reduction(Function<Kernels, Float> f) {
        return (k, out) -> f.apply(k);
    }

    @Property(tries = 300, shrinking = ShrinkingMode.OFF)
    void reductions(@ForAll @IntRange(max = 150) int n, @ForAll @IntRange(max = 20) int off, @ForAll long seed) {
        Random r = new Random(seed);
        float[] a = values(r, n + off + 3);
        float[] b = values(r, n + 2 * off);
        float[] none = new float[0];
        law("dot " + n, none, reduction(k -> k.dot(n, a, off, b, 2 * off)));
        law("sum " + n, none, reduction(k -> k.sum(n, a, off)));
        law("squaredDistance " + n, none, reduction(k -> k.squaredDistance(n, a, off, b, 2 * off)));
        law("absMax " + n, none, reduction(k -> k.absMax(n, a, off)));
        if (n > 0) {
            law("min " + n, none, reduction(k -> k.min(n, a, off)));
            law("max " + n, none, reduction(k -> k.max(n, a, off)));
            law("logSumExp " + n, none, reduction(k -> k.logSumExp(n, a, off)));
        }
    }

    @Property(tries = 300, shrinking = ShrinkingMode.OFF)
    void elementwise(@ForAll @IntRange(max = 150) int n, @ForAll @IntRange(max = 20) int off, @ForAll long seed) {
        Random r = new Random(seed);
        float[] a = values(r, n + off + 3);
        float[] b = values(r, n + 2 * off);
        float alpha = values(r, 1)[0];
        float[] out = values(r, n + off + 1);
        law("axpy", out, (k, y) -> { k.axpy(n, alpha, a, off, y, off); return 0f; });
        int ldx = n + 2;
        float[] rows = values(r, 5 * ldx + off);
        float[] factors = values(r, 5);
        for (int count = 0; count <= 5; count += 5) {
            int c = count;
            law("subtractProducts " + c, out, (k, y) -> { k.subtractProducts(n, c, factors, 0, rows, off, ldx, y, off); return 0f; });
        }
        law("multiply", out, (k, y) -> { k.multiply(n, a, off, b, 2 * off, y, off); return 0f; });
        law("add", out, (k, y) -> { k.add(n, a, off, b, 2 * off, y, off); return 0f; });
        law("scale", out, (k, y) -> { k.scale(n, alpha, y, off); return 0f; });
        for (Activation f : Activation.values()) {
            law(f.name(), out, (k, y) -> { k.activate(f, n, y, off); return 0f; });
        }
        float scale = Math.abs(values(r, 1)[0]);
        float zero = r.nextBoolean() ? 0 : r.nextInt(16);
        law("fakeQuantizeFloat", out, (k, y) -> { k.fakeQuantizeFloat(n, a, off, scale, 2 * scale, 3, 0x1p-6f, 448f, y, off); return 0f; });
        law("fakeQuantize", out, (k, y) -> { k.fakeQuantize(n, a, off, scale, zero, 0, 15, y, off); return 0f; });
        law("quantize", out, (k, y) -> { k.quantize(n, a, off, scale, zero, -8, 7, y, off); return 0f; });
    }

    @Property(tries = 200, shrinking = ShrinkingMode.OFF)
    void rows(@ForAll @IntRange(min = 1, max = 150) int n, @ForAll @IntRange(max = 20) int off, @ForAll long seed) {
        Random r = new Random(seed);
        float[] x = values(r, n + off + 3);
        float[] w = values(r, n);
        float[] bias = r.nextBoolean() ? values(r, n) : new float[0];
        float[] out = new float[n + off + 1];
        law("softmax", x, (k, y) -> { k.softmax(n, y, off); return 0f; });
        law("rmsNorm", out, (k, y) -> { k.rmsNorm(n, x, off, w, 1e-5f, y, off); return 0f; });
        law("layerNorm", out, (k, y) -> { k.layerNorm(n, x, off, w, bias, 1e-5f, y, off); return 0f; });
        int p = Integer.highestOneBit(n);
        law("walshHadamard", x, (k, y) -> { k.walshHadamard(p, y, off); return 0f; });
    }

    /** Every product, for shapes around the tiles, k around the k-block, odd leading dimensions and offsets, both ways to write C. */
    @Property(tries = 150, shrinking = ShrinkingMode.OFF)
    void products(@ForAll @IntRange(max = 40) int m, @ForAll @IntRange(max = 70) int n, @ForAll @IntRange(max = 40) int kBase, @ForAll long seed) {
        Random r = new Random(seed);
        int k = r.nextInt(8) == 0 ? 384 * r.nextInt(1, 3) + r.nextInt(3) - 1 : kBase;
        int pad = r.nextInt(4);
        int off = r.nextInt(5);
        boolean add = r.nextBoolean();
        float[] mk = values(r, off + m * (k + pad) + k * (m + pad));
        float[] kn = values(r, off + n * (k + pad) + k * (n + pad));
        float[] c = values(r, off + m * (n + pad));
        String shape = m + " x " + n + " x " + k + (add ? " added" : "");
        law("NT " + shape, c, (q, y) -> { q.gemmNT(m, n, k, mk, off, k + pad, kn, off, k + pad, y, off, n + pad, add); return 0f; });
        law("NN " + shape, c, (q, y) -> { q.gemmNN(m, n, k, mk, off, k + pad, kn, off, n + pad, y, off, n + pad, add); return 0f; });
        law("TN " + shape, c, (q, y) -> { q.gemmTN(m, n, k, mk, off, m + pad, kn, off, n + pad, y, off, n + pad, add); return 0f; });
        float[] h = values(r, m * (m + pad));
        law("syrk " + shape, h, (q, y) -> { q.syrk(k, m, mk, off, m + pad, y, m + pad); return 0f; });
    }

    /** Large enough to be split: the spans, the row blocks and the threads leave no trace. */
    @Property(tries = 6, shrinking = ShrinkingMode.OFF)
    void threads(@ForAll @IntRange(min = 230, max = 500) int m, @ForAll @IntRange(min = 60, max = 300) int n, @ForAll @IntRange(min = 300, max = 500) int k,
                 @ForAll long seed) {
        Random r = new Random(seed);
        float[] a = values(r, m * k);
        float[] b = values(r, n * k);
        float[] expected = new float[m * n];
        float[] gram = new float[m * m];
        Kernels preferred = VectorWidths.ALL.get("preferred");
        Parallel.setThreads(1);
        SCALAR.gemmNT(m, n, k, a, 0, k, b, 0, k, expected, 0, n, false);
        SCALAR.syrk(k, m, a, 0, m, gram, m);
        for (int threads : new int[] {1, 2, 5}) {
            Parallel.setThreads(threads);
            float[] c = new float[m * n];
            preferred.gemmNT(m, n, k, a, 0, k, b, 0, k, c, 0, n, false);
            sameBits(expected, c, threads + " threads");
            float[] h = new float[m * m];
            preferred.syrk(k, m, a, 0, m, h, m);
            sameBits(gram, h, "syrk, " + threads + " threads");
        }
        Parallel.setThreads(THREADS);
    }

    /** Against sums in double: the error bound of a float32 dot product, k · 2^-24 · Σ|a b|, holds with room. */
    @Property(tries = 30, shrinking = ShrinkingMode.OFF)
    void productsAreProducts(@ForAll @IntRange(min = 1, max = 50) int m, @ForAll @IntRange(min = 1, max = 50) int n,
                             @ForAll @IntRange(min = 1, max = 800) int k, @ForAll long seed) {
        Random r = new Random(seed);
        float[] a = new float[m * k];
        float[] b = new float[n * k];
        for (int i = 0; i < a.length; i++) {
            a[i] = (float) r.nextGaussian();
        }
        for (int i = 0; i < b.length; i++) {
            b[i] = (float) r.nextGaussian();
        }
        float[] c = new float[m * n];
        VectorWidths.ALL.get("preferred").gemmNT(m, n, k, a, 0, k, b, 0, k, c, 0, n, false);
        for (int i = 0; i < m; i++) {
            for (int j = 0; j < n; j++) {
                double sum = 0;
                double magnitude = 0;
                for (int p = 0; p < k; p++) {
                    double t = (double) a[i * k + p] * b[j * k + p];
                    sum += t;
                    magnitude += Math.abs(t);
                }
                assertEquals(sum, c[i * n + j], k * 0x1p-24 * magnitude + 1e-30, m + " x " + n + " x " + k);
            }
        }
    }

    /** What is outside the output stays as it was: checked by the laws above through padding; here, that bad extents are refused. */
    @Property(tries = 50)
    void outOfRangeIsRefused(@ForAll @IntRange(min = 1, max = 20) int n) {
        float[] small = new float[n * n - 1];
        float[] c = new float[n * n];
        VectorWidths.ALL.values().forEach(k -> org.junit.jupiter.api.Assertions.assertThrows(IndexOutOfBoundsException.class,
                () -> k.gemmNT(n, n, n, small, 0, n, c, 0, n, c, 0, n, false)));
        assertEquals(0, Arrays.stream(new float[][] {c}).mapToInt(x -> x[0] == 0 ? 0 : 1).sum());
    }
}
