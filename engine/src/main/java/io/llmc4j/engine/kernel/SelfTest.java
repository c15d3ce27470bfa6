package io.llmc4j.engine.kernel;

import io.llmc4j.engine.tensor.Conversions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.BiFunction;

/**
 * Holds the vector kernels of this machine to their scalar definitions, bit for bit, and the scalar ones to known answers. Each kernel is repeated until
 * the compiler has surely compiled it, because a fault of a compiler shows only then.
 */
public final class SelfTest {

    private static final int[] LENGTHS = {0, 1, 7, 15, 16, 17, 31, 64, 100, 129, 512};

    private final Kernels scalar = new ScalarKernels();
    private final Kernels fast;
    private final long nanos;
    private final List<Result> results = new ArrayList<>();

    /** @param fault empty when all is well; else the first difference */
    public record Result(String what, long cases, String fault) {
        public boolean sound() {
            return fault.isEmpty();
        }
    }

    private SelfTest(Kernels fast, long nanos) {
        this.fast = fast;
        this.nanos = nanos;
    }

    /**
     * @param name    of the kernels to test, "vector"
     * @param seconds about how long, all together
     */
    public static List<Result> run(String name, double seconds) {
        return run(Kernels.named(name), seconds);
    }

    /** The same for kernels that are at hand. */
    public static List<Result> run(Kernels fast, double seconds) {
        SelfTest t = new SelfTest(fast, (long) (seconds * 1e9 / 39));
        t.reductions();
        t.elements();
        t.rows();
        t.products();
        if (fast.name().equals("vector")) {
            t.doubles();
            t.storedFloats();
        }
        t.knownAnswers();
        return t.results;
    }

    /** One case: the kernel on a copy of {@code out}; what it returns counts too. */
    private interface Case {
        float apply(Kernels k, float[] out, Input in);
    }

    private record Input(int n, float[] a, float[] b, float scale, Random random) { }

    private void compare(String what, int least, Case kernel) {
        long end = System.nanoTime() + nanos;
        long cases = 0;
        String fault = "";
        for (int i = 0; fault.isEmpty() && (i < 3 * LENGTHS.length || System.nanoTime() < end); i++) {
            Random r = new Random(i);
            int n = Math.max(least, LENGTHS[i % LENGTHS.length]);
            Input in = new Input(n, values(r, n), values(r, n), Math.abs(values(r, 1)[0]) + 1e-6f, r);
            float[] expected = values(r, n);
            float[] actual = expected.clone();
            fault = difference(n, kernel.apply(scalar, expected, in), expected, kernel.apply(fast, actual, in), actual);
            cases++;
        }
        results.add(new Result(what, cases, fault));
    }

    private static String difference(int n, float value, float[] expected, float got, float[] actual) {
        if (Float.floatToIntBits(value) != Float.floatToIntBits(got)) {
            return "length " + n + ": " + got + " where the definition gives " + value;
        }
        for (int i = 0; i < expected.length; i++) {
            if (Float.floatToIntBits(expected[i]) != Float.floatToIntBits(actual[i])) {
                return "length " + n + ", element " + i + ": " + actual[i] + " where the definition gives " + expected[i];
            }
        }
        return "";
    }

    /** Ordinary values, wide ranges, zeros and subnormals. */
    private static float[] values(Random r, int n) {
        int mood = r.nextInt(3);
        float[] v = new float[n];
        for (int i = 0; i < n; i++) {
            v[i] = switch (mood) {
                case 0 -> (float) r.nextGaussian();
                case 1 -> (float) (r.nextGaussian() * Math.scalb(1.0, r.nextInt(40) - 20));
                default -> r.nextInt(6) == 0 ? 0f : (float) (r.nextGaussian() * Math.scalb(1.0, r.nextInt(8) == 0 ? -140 : 0));
            };
        }
        return v;
    }

    private void reductions() {
        compare("dot", 0, (k, y, in) -> k.dot(in.n, in.a, 0, in.b, 0));
        compare("sum", 0, (k, y, in) -> k.sum(in.n, in.a, 0));
        compare("squared distance", 0, (k, y, in) -> k.squaredDistance(in.n, in.a, 0, in.b, 0));
        compare("min", 1, (k, y, in) -> k.min(in.n, in.a, 0));
        compare("max", 1, (k, y, in) -> k.max(in.n, in.a, 0));
        compare("absolute max", 0, (k, y, in) -> k.absMax(in.n, in.a, 0));
        compare("log-sum-exp", 1, (k, y, in) -> k.logSumExp(in.n, in.a, 0));
    }

    private void elements() {
        compare("axpy", 0, (k, y, in) -> done(() -> k.axpy(in.n, in.scale, in.a, 0, y, 0)));
        compare("multiply", 0, (k, y, in) -> done(() -> k.multiply(in.n, in.a, 0, in.b, 0, y, 0)));
        compare("add", 0, (k, y, in) -> done(() -> k.add(in.n, in.a, 0, in.b, 0, y, 0)));
        compare("scale", 0, (k, y, in) -> done(() -> k.scale(in.n, in.scale, y, 0)));
        // four rows of a quarter of the length
        compare("row less products of others", 4, (k, y, in) -> done(() -> k.subtractProducts(in.n / 4, 4, in.a, 0, in.b, 0, in.n / 4, y, 0)));
        for (Activation f : Activation.values()) {
            if (f != Activation.NONE) {
                compare("activation " + f.name().toLowerCase(java.util.Locale.ROOT), 0, (k, y, in) -> done(() -> k.activate(f, in.n, y, 0)));
            }
        }
        compare("quantize and dequantize, integers", 0, (k, y, in) -> done(() -> k.fakeQuantize(in.n, in.a, 0, in.scale, 8, 0, 15, y, 0)));
        compare("quantize, integers", 0, (k, y, in) -> done(() -> k.quantize(in.n, in.a, 0, in.scale, 0, -8, 7, y, 0)));
        compare("quantize and dequantize, small floats", 0, (k, y, in) -> done(() -> k.fakeQuantizeFloat(in.n, in.a, 0, in.scale, in.scale, 3, 0x1p-6f, 448f, y, 0)));
    }

    private void rows() {
        compare("softmax", 1, (k, y, in) -> done(() -> k.softmax(in.n, y, 0)));
        compare("RMS norm", 1, (k, y, in) -> done(() -> k.rmsNorm(in.n, in.a, 0, in.b, 1e-5f, y, 0)));
        compare("layer norm", 1, (k, y, in) -> done(() -> k.layerNorm(in.n, in.a, 0, in.b, in.a, 1e-5f, y, 0)));
        compare("Walsh-Hadamard transform", 1, (k, y, in) -> done(() -> k.walshHadamard(Integer.highestOneBit(in.n), y, 0)));
    }

    /** Shapes around the tiles, k around the k-block. */
    private void products() {
        product("product A Bᵀ", (k, s) -> c -> k.gemmNT(s.m, s.n, s.k, s.a, 0, s.k, s.b, 0, s.k, c, 0, s.n, s.add));
        product("product A B", (k, s) -> c -> k.gemmNN(s.m, s.n, s.k, s.a, 0, s.k, s.b, 0, s.n, c, 0, s.n, s.add));
        product("product Aᵀ B", (k, s) -> c -> k.gemmTN(s.m, s.n, s.k, s.a, 0, s.m, s.b, 0, s.n, c, 0, s.n, s.add));
        product("lower triangle of A Bᵀ", (k, s) -> c -> {
            k.lowerNT(s.n, s.k, s.b, 0, s.k, s.b, 0, s.k, c, 0, s.n);
            for (int i = 0; i < s.n; i++) {
                Arrays.fill(c, i * s.n + i + 1, (i + 1) * s.n, 0f);
            }
        });
        product("XᵀX", (k, s) -> c -> k.syrk(s.m, s.n, s.b, 0, s.n, c, s.n));
    }

    private record Shape(int m, int n, int k, boolean add, float[] a, float[] b) { }

    private interface Product {
        void into(float[] c);
    }

    private void product(String what, BiFunction<Kernels, Shape, Product> kernel) {
        long end = System.nanoTime() + 2 * nanos;
        long cases = 0;
        String fault = "";
        for (int i = 0; fault.isEmpty() && (i < 12 || System.nanoTime() < end); i++) {
            Random r = new Random(i);
            int m = 1 + r.nextInt(40);
            int n = 1 + r.nextInt(70);
            int k = i % 4 == 3 ? Kernels.K_BLOCK + r.nextInt(3) - 1 : Math.max(m, 1 + r.nextInt(80));
            Shape s = new Shape(m, n, k, r.nextBoolean(), values(r, m * k), values(r, n * k));
            float[] expected = values(r, Math.max(m, n) * n);
            float[] actual = expected.clone();
            kernel.apply(scalar, s).into(expected);
            kernel.apply(fast, s).into(actual);
            fault = difference(n, 0, expected, 0, actual);
            cases++;
        }
        results.add(new Result(what, cases, fault));
    }

    private void doubles() {
        long end = System.nanoTime() + nanos;
        long cases = 0;
        String fault = "";
        DoubleKernels definition = new ScalarDoubleKernels();
        DoubleKernels vector = new VectorDoubleKernels();
        for (int i = 0; fault.isEmpty() && (i < 12 || System.nanoTime() < end); i++) {
            Random r = new Random(i);
            int m = 1 + r.nextInt(20);
            int n = 1 + r.nextInt(30);
            int k = 1 + r.nextInt(50);
            double[] a = r.doubles(m * k).toArray();
            double[] b = r.doubles(n * k).toArray();
            double[] c = r.doubles(m * n).toArray();
            double[] d = c.clone();
            definition.subtractProduct(m, n, k, a, 0, k, 1, b, 0, n, 1, c, 0, n);
            vector.subtractProduct(m, n, k, a, 0, k, 1, b, 0, n, 1, d, 0, n);
            definition.axpy(m * n, 0.3, b.length < m * n ? c.clone() : b, 0, c, 0);
            vector.axpy(m * n, 0.3, b.length < m * n ? d.clone() : b, 0, d, 0);
            fault = java.util.Arrays.equals(c, d) ? "" : "shape " + m + " x " + n + " x " + k + " differs";
            cases++;
        }
        results.add(new Result("product and axpy in double", cases, fault));
    }

    private void storedFloats() {
        StoredFloats definition = new ScalarStoredFloats();
        StoredFloats vector = new VectorStoredFloats();
        long end = System.nanoTime() + nanos;
        long cases = 0;
        String fault = "";
        for (int i = 0; fault.isEmpty() && (i < 30 || System.nanoTime() < end); i++) {
            Random r = new Random(i);
            int n = LENGTHS[i % LENGTHS.length];
            float[] x = values(r, n);
            byte[] raw = new byte[n];
            r.nextBytes(raw);
            fault = bytes("bf16", n, o -> definition.floatsToBf16(n, x, 0, o.shorts, 0), o -> vector.floatsToBf16(n, x, 0, o.shorts, 0))
                    + bytes("e4m3", n, o -> definition.floatsToE4m3(n, x, 0, o.bytes, 0, true), o -> vector.floatsToE4m3(n, x, 0, o.bytes, 0, true))
                    + bytes("e5m2", n, o -> definition.floatsToE5m2(n, x, 0, o.bytes, 0, true), o -> vector.floatsToE5m2(n, x, 0, o.bytes, 0, true))
                    + bytes("extremes", n, o -> definition.groupExtremes(n, 32, x, 0, o.floats, o.more, 0), o -> vector.groupExtremes(n, 32, x, 0, o.floats, o.more, 0))
                    + bytes("from bf16", n, o -> definition.bf16ToFloats(n, shorts(x), 0, o.floats, 0), o -> vector.bf16ToFloats(n, shorts(x), 0, o.floats, 0))
                    + bytes("integer codes", n, o -> definition.integerCodes(n, x, 0, 0.3f, 8f, 0f, 15f, o.bytes, 0), o -> vector.integerCodes(n, x, 0, 0.3f, 8f, 0f, 15f, o.bytes, 0))
                    + bytes("from e4m3", n, o -> definition.e4m3ToFloats(n, raw, 0, o.floats, 0), o -> vector.e4m3ToFloats(n, raw, 0, o.floats, 0))
                    + bytes("from e5m2", n, o -> definition.e5m2ToFloats(n, raw, 0, o.floats, 0), o -> vector.e5m2ToFloats(n, raw, 0, o.floats, 0))
                    + bytes("packed nibbles", n, o -> definition.packNibbles(n / 8, raw, 0, o.ints, 0), o -> vector.packNibbles(n / 8, raw, 0, o.ints, 0))
                    + bytes("unpacked nibbles", n, o -> definition.unpackNibbles(n / 8, pairs(shorts(x)), 0, o.bytes, 0), o -> vector.unpackNibbles(n / 8, pairs(shorts(x)), 0, o.bytes, 0))
                    + bytes("values of codes", n, o -> definition.codesToFloats(n, raw, 0, true, 3f, 0.3f, o.floats, 0), o -> vector.codesToFloats(n, raw, 0, true, 3f, 0.3f, o.floats, 0))
                    + bytes("values of unsigned codes", n, o -> definition.codesToFloats(n, raw, 0, false, 3f, 0.3f, o.floats, 0),
                            o -> vector.codesToFloats(n, raw, 0, false, 3f, 0.3f, o.floats, 0))
                    + bytes("extremes of bf16", n, o -> definition.bf16Extremes(n / 32 * 32, 32, pairs(shorts(x)), 0, o.floats, o.more, 0),
                            o -> vector.bf16Extremes(n / 32 * 32, 32, pairs(shorts(x)), 0, o.floats, o.more, 0))
                    + bytes("nibbles of bf16", n, o -> definition.bf16Nibbles(n / 2 * 2, pairs(shorts(x)), 0, 0.3f, 8f, 0f, 15f, o.bytes, 0),
                            o -> vector.bf16Nibbles(n / 2 * 2, pairs(shorts(x)), 0, 0.3f, 8f, 0f, 15f, o.bytes, 0))
                    + (definition.subnormals(n, x, 0) == vector.subnormals(n, x, 0) ? "" : "subnormals of " + n + " differ; ");
            cases++;
        }
        results.add(new Result("bf16, fp8, codes and group extremes in bulk", cases, fault));
    }

    private static short[] shorts(float[] x) {
        short[] s = new short[x.length];
        for (int i = 0; i < s.length; i++) {
            s[i] = (short) (Float.floatToRawIntBits(x[i]) >>> 16);
        }
        return s;
    }

    /** Two in each, the first in the low half. */
    private static int[] pairs(short[] s) {
        int[] out = new int[s.length / 2];
        for (int i = 0; i < out.length; i++) {
            out[i] = s[2 * i] & 0xffff | s[2 * i + 1] << 16;
        }
        return out;
    }

    private record Outputs(short[] shorts, byte[] bytes, float[] floats, float[] more, int[] ints) {
        static Outputs of(int n) {
            return new Outputs(new short[n], new byte[n], new float[n], new float[n], new int[n]);
        }

        boolean same(Outputs o) {
            return java.util.Arrays.equals(shorts, o.shorts) && java.util.Arrays.equals(bytes, o.bytes) && java.util.Arrays.equals(floats, o.floats)
                    && java.util.Arrays.equals(more, o.more) && java.util.Arrays.equals(ints, o.ints);
        }
    }

    private static String bytes(String what, int n, java.util.function.Consumer<Outputs> definition, java.util.function.Consumer<Outputs> vector) {
        Outputs a = Outputs.of(n);
        Outputs b = Outputs.of(n);
        definition.accept(a);
        vector.accept(b);
        return a.same(b) ? "" : what + " of " + n + " differ; ";
    }

    private static float done(Runnable r) {
        r.run();
        return 0;
    }

    /** Values that anybody can look up or work out: formats' largest values and ties, functions at round arguments. */
    private void knownAnswers() {
        List<String> wrong = new ArrayList<>();
        long n = 0;
        n += is(wrong, "bf16 of 1 + 2^-8, a tie", 0x3f80, Conversions.floatToBf16(1f + 0x1p-8f) & 0xffff);
        n += is(wrong, "bf16 of 1 + 3 * 2^-8, a tie", 0x3f82, Conversions.floatToBf16(1f + 3 * 0x1p-8f) & 0xffff);
        n += is(wrong, "f16 of 65504", 0x7bff, Conversions.floatToF16(65504f) & 0xffff);
        n += is(wrong, "f16 of 2^-24", 0x0001, Conversions.floatToF16(0x1p-24f) & 0xffff);
        n += is(wrong, "f16 of 2^-25, a tie", 0x0000, Conversions.floatToF16(0x1p-25f) & 0xffff);
        byte[] code = new byte[1];
        new ScalarStoredFloats().floatsToE4m3(1, new float[] {448f}, 0, code, 0, true);
        n += is(wrong, "e4m3 of 448", 0x7e, code[0] & 0xff);
        new ScalarStoredFloats().floatsToE4m3(1, new float[] {0x1p-9f}, 0, code, 0, true);
        n += is(wrong, "e4m3 of 2^-9", 0x01, code[0] & 0xff);
        new ScalarStoredFloats().floatsToE5m2(1, new float[] {57344f}, 0, code, 0, true);
        n += is(wrong, "e5m2 of 57344", 0x7b, code[0] & 0xff);
        for (Kernels k : List.of(scalar, fast)) {
            float[] soft = {0f, (float) StrictMath.log(3)};
            k.softmax(2, soft, 0);
            n += near(wrong, k.name() + " softmax of 0, ln 3", 0.75f, soft[1]);
            n += near(wrong, k.name() + " log-sum-exp of 0, 0", 0.6931472f, k.logSumExp(2, new float[2], 0));
            n += near(wrong, k.name() + " silu of 1", 0.7310586f, activated(k, Activation.SILU));
            n += near(wrong, k.name() + " gelu of 1", 0.8413447f, activated(k, Activation.GELU_ERF));
            n += near(wrong, k.name() + " gelu by tanh of 1", 0.8411920f, activated(k, Activation.GELU_TANH));
            float[] h = {1, 2, 3, 4};
            k.walshHadamard(4, h, 0);
            n += is(wrong, k.name() + " Walsh-Hadamard of 1 2 3 4", 0, (int) Math.abs(h[0] - 10) + (int) Math.abs(h[1] + 2) + (int) Math.abs(h[2] + 4) + (int) Math.abs(h[3]));
            float[] q = new float[4];
            k.quantize(4, new float[] {-1f, -0.5f, 0.25f, 1f}, 0, 0.5f, 8, 0, 15, q, 0);
            n += is(wrong, k.name() + " codes of -1, -0.5, 0.25, 1 by 0.5 around 8", 6 * 1000 + 7 * 100 + 8 * 10 + 10, (int) (q[0] * 1000 + q[1] * 100 + q[2] * 10 + q[3]));
            float[] c = new float[4];
            k.gemmNT(2, 2, 2, new float[] {1, 2, 3, 4}, 0, 2, new float[] {5, 6, 7, 8}, 0, 2, c, 0, 2, false);
            n += is(wrong, k.name() + " product of two 2 x 2", 17 + 23 * 100 + 39 * 10_000 + 53 * 1_000_000, (int) (c[0] + c[1] * 100 + c[2] * 10_000) + (int) c[3] * 1_000_000);
        }
        results.add(new Result("known answers", n, String.join("; ", wrong)));
    }

    private static float activated(Kernels k, Activation f) {
        float[] x = {1f};
        k.activate(f, 1, x, 0);
        return x[0];
    }

    private static int is(List<String> wrong, String what, int expected, int got) {
        if (expected != got) {
            wrong.add(what + ": " + got + " instead of " + expected);
        }
        return 1;
    }

    private static int near(List<String> wrong, String what, float expected, float got) {
        if (!(Math.abs(expected - got) <= 2e-7f)) {
            wrong.add(what + ": " + got + " instead of " + expected);
        }
        return 1;
    }
}
