package io.llmc4j.engine.kernel;

/**
 * Bulk conversion between float32 and the smaller float types that files hold, on heap arrays: callers stage pieces of a memory segment through
 * small arrays, which stay in the first-level cache. The definition of a single value is {@link io.llmc4j.engine.tensor.Conversions}.
 */
public interface StoredFloats {

    /** The twin of the current {@link Kernels}: vector with vector, otherwise scalar. */
    static StoredFloats get() {
        return Kernels.get().host().name().equals("vector") ? VectorStoredFloats.INSTANCE : ScalarStoredFloats.INSTANCE;
    }

    /** bf16 to float32, exact. */
    void bf16ToFloats(int n, short[] raw, int rawAt, float[] out, int outAt);

    /** IEEE binary16 to float32, exact. */
    default void f16ToFloats(int n, short[] raw, int rawAt, float[] out, int outAt) {
        for (int i = 0; i < n; i++) {
            out[outAt + i] = Float.float16ToFloat(raw[rawAt + i]);
        }
    }

    /** float32 to IEEE binary16, to nearest, ties to even, infinity past 65504. Both twins share the loop, which the compiler vectorizes. */
    default void floatsToF16(int n, float[] values, int at, short[] raw, int rawAt) {
        for (int i = 0; i < n; i++) {
            raw[rawAt + i] = Float.floatToFloat16(values[at + i]);
        }
    }

    /** fp8 e4m3 (finite and NaN only) to float32, exact. */
    void e4m3ToFloats(int n, byte[] raw, int rawAt, float[] out, int outAt);

    /** fp8 e5m2 to float32, exact. */
    void e5m2ToFloats(int n, byte[] raw, int rawAt, float[] out, int outAt);

    /** float32 to bf16, to nearest, ties to even; NaN becomes the quiet NaN of its sign. */
    void floatsToBf16(int n, float[] values, int at, short[] raw, int rawAt);

    /** float32 to fp8 e4m3 (finite and NaN only), to nearest, ties to even; past 448 the largest value if {@code saturate}, else NaN. */
    void floatsToE4m3(int n, float[] values, int at, byte[] raw, int rawAt, boolean saturate);

    /** float32 to fp8 e5m2, to nearest, ties to even; past 57344 the largest value if {@code saturate}, else infinity. */
    void floatsToE5m2(int n, float[] values, int at, byte[] raw, int rawAt, boolean saturate);

    /**
     * Integer codes of one range: clamp(rne(x / scale) + zero), all in float32, as bytes. A quotient that is not a number has code 0.
     *
     * @param zero an integer of magnitude below 2^20, as {@code qmin} and {@code qmax} are
     */
    void integerCodes(int n, float[] x, int at, float scale, float zero, float qmin, float qmax, byte[] codes, int codesAt);

    /**
     * Four-bit codes to words of eight, the first code in the lowest bits.
     *
     * @param codes the low halves of 8 · {@code words} bytes count
     */
    default void packNibbles(int words, byte[] codes, int at, int[] out, int outAt) {
        for (int i = 0; i < words; i++) {
            out[outAt + i] = Nibbles.pack(codes, at + 8 * i);
        }
    }

    /** Inverse of {@link #packNibbles}: 8 · {@code words} bytes from 0 to 15. */
    default void unpackNibbles(int words, int[] packed, int at, byte[] codes, int codesAt) {
        for (int i = 0; i < words; i++) {
            Nibbles.unpack(packed[at + i], codes, codesAt + 8 * i);
        }
    }

    /**
     * Smallest and largest of each group of {@code groupSize} neighbours; the last group may be shorter. NaN where a group has one.
     *
     * @param min one value a group from {@code groupAt}, and {@code max} likewise
     */
    void groupExtremes(int n, int groupSize, float[] x, int at, float[] min, float[] max, int groupAt);

    /** (code - zero) · scale in float32, of codes that are signed bytes, or unsigned ones. */
    void codesToFloats(int n, byte[] codes, int at, boolean signed, float zero, float scale, float[] out, int outAt);

    /** How many values are neither zero nor at least 2^-126. */
    default long subnormals(int n, float[] x, int at) {
        long count = 0;
        for (int i = 0; i < n; i++) {
            int m = Float.floatToRawIntBits(x[at + i]) & 0x7fffffff;
            count += m > 0 && m < 0x00800000 ? 1 : 0;
        }
        return count;
    }

    /**
     * {@link #groupExtremes} of the float32 of bf16 values.
     *
     * @param n         values, a multiple of {@code groupSize}
     * @param groupSize even
     * @param pairs     two of them in each, the first in the low half
     */
    void bf16Extremes(int n, int groupSize, int[] pairs, int at, float[] min, float[] max, int groupAt);

    /**
     * {@link #integerCodes} of bf16 values of one range, two in a byte, the first in the low half.
     *
     * @param n     values, an even number
     * @param pairs two of them in each, the first in the low half
     * @param qmin  at least 0, and {@code qmax} at most 15; a quotient that is not a number is not allowed
     */
    void bf16Nibbles(int n, int[] pairs, int at, float scale, float zero, float qmin, float qmax, byte[] packed, int packedAt);
}
