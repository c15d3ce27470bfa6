package io.llmc4j.laws;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.tensor.Conversions;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import java.lang.foreign.Arena;
import java.util.function.IntFunction;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;

/** Rounding to a small format gives the nearest value, the even code on a tie; ranges, rows and whole tensors read alike. */
class TensorLaws {

    /** Any bits, or magnitudes where the small formats live. */
    @Provide
    Arbitrary<Float> floats() {
        return Arbitraries.oneOf(
                Arbitraries.integers().map(Float::intBitsToFloat).filter(Float::isFinite),
                Arbitraries.floats().between(-500f, 500f),
                Arbitraries.floats().between(-0.02f, 0.02f),
                Arbitraries.integers().between(0, 0x8000).map(i -> i * 0x1p-26f));
    }

    @Property(tries = 1000)
    void e4m3IsNearest(@ForAll("floats") float v) {
        nearest(v, Conversions.floatToE4m3(v, true) & 0xff, c -> Conversions.e4m3ToFloat((byte) c), 256);
    }

    @Property(tries = 1000)
    void e5m2IsNearest(@ForAll("floats") float v) {
        nearest(v, Conversions.floatToE5m2(v, true) & 0xff, c -> Conversions.e5m2ToFloat((byte) c), 256);
    }

    @Property(tries = 60)
    void bf16IsNearest(@ForAll("floats") float v) {
        int code = Conversions.floatToBf16(v) & 0xffff;
        if (Float.isFinite(Conversions.bf16ToFloat((short) code))) {
            nearest(v, code, c -> Conversions.bf16ToFloat((short) c), 65536);
        }
    }

    @Property(tries = 60)
    void f16IsNearest(@ForAll("floats") float v) {
        int code = Conversions.floatToF16(v) & 0xffff;
        if (Float.isFinite(Conversions.f16ToFloat((short) code))) {
            nearest(v, code, c -> Conversions.f16ToFloat((short) c), 65536);
        }
    }

    /** No code is nearer to what is left of the value within the format's range; where another is as near, the chosen one is even. Exact in double: the formats and their midpoints are doubles. */
    private static void nearest(float v, int code, IntFunction<Float> decode, int codes) {
        double largest = 0;
        for (int c = 0; c < codes; c++) {
            largest = Float.isFinite(decode.apply(c)) ? Math.max(largest, decode.apply(c)) : largest;
        }
        double x = Math.max(-largest, Math.min(largest, v));
        double mine = Math.abs(decode.apply(code) - x);
        assertEquals(Float.floatToRawIntBits(v) < 0, Float.floatToRawIntBits(decode.apply(code)) < 0, "sign of " + v);
        for (int c = 0; c < codes; c++) {
            float d = decode.apply(c);
            if (Float.isFinite(d)) {
                double other = Math.abs(d - x);
                boolean sameValue = d == decode.apply(code);
                assertTrue(other > mine || sameValue || other == mine && (code & 1) == 0, v + " became " + decode.apply(code) + ", but " + d + " is there");
            }
        }
    }

    @Property(tries = 50)
    void rangesRowsAndTheWholeAgree(@ForAll DType type, @ForAll @IntRange(min = 1, max = 60) int rows, @ForAll @IntRange(min = 1, max = 300) int cols, @ForAll int seed) {
        if (type.bytes() == 0 || type == DType.C64) {
            return;
        }
        try (Arena arena = Arena.ofConfined()) {
            Tensor t = Tensor.allocate(type, new Shape(rows, cols), arena);
            byte[] raw = new byte[(int) t.bytes().byteSize()];
            new java.util.Random(seed).nextBytes(raw);
            t = Tensors.fromBytes(type, t.shape(), raw, arena);
            float[] all = Tensors.toFloats(t);
            for (int i = 0; i < all.length; i += 1 + all.length / 50) {
                assertEquals(all[i], Tensors.getFloat(t, i));
            }
            int r = Math.floorMod(seed, rows);
            Matrix whole = Tensors.toMatrix(t);
            assertArrayEquals(whole.rows(r, rows).data(), Tensors.toMatrix(t, r, rows - r).data());
            assertArrayEquals(whole.rows(r, r + 1).data(), Tensors.gatherRows(t, new int[] {r}).data());
            assertArrayEquals(whole.rows(r, rows).data(), Tensors.toFloats(Tensors.rows(t, r, rows)));
        }
    }

    @Property(tries = 50)
    void storingWhatWasReadGivesTheSameBytes(@ForAll DType type, @ForAll @IntRange(min = 0, max = 9000) int n, @ForAll int seed) {
        if (!type.isFloat() || type.bytes() == 0 || type == DType.F64 || type == DType.F8_E4M3FNUZ || type == DType.F8_E5M2FNUZ) {
            return;
        }
        try (Arena arena = Arena.ofConfined()) {
            byte[] raw = new byte[n * type.bytes()];
            new java.util.Random(seed).nextBytes(raw);
            float[] x = Tensors.toFloats(Tensors.fromBytes(type, new Shape(n), raw, arena));
            for (int i = 0; i < n; i++) {
                x[i] = Float.isFinite(x[i]) ? x[i] : 1f;
            }
            assertArrayEquals(x, Tensors.toFloats(Tensors.fromFloats(type, new Shape(n), x, arena)));
        }
    }

    @Property(tries = 100)
    void integersAreExact(@ForAll long v) {
        try (Arena arena = Arena.ofConfined()) {
            assertArrayEquals(new long[] {v}, Tensors.toLongs(Tensors.fromLongs(DType.I64, new Shape(1), new long[] {v}, arena)));
            Tensor small = Tensors.fromLongs(DType.U16, new Shape(1), new long[] {v & 0xffff}, arena);
            assertEquals(v & 0xffff, Tensors.getLong(small, 0));
            Tensor unsigned = Tensors.fromLongs(DType.U64, new Shape(1), new long[] {v}, arena);
            assertEquals(new java.math.BigInteger(Long.toUnsignedString(v)).floatValue(), Tensors.getFloat(unsigned, 0));
        }
    }
}
