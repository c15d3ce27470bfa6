package io.llmc4j.engine.kernel;

/**
 * Bulk conversion between float32 and the smaller float types that files hold, on heap arrays: callers stage pieces of a memory segment through
 * small arrays, which stay in the first-level cache. The definition of a single value is {@link io.llmc4j.engine.tensor.Conversions}.
 */
public interface StoredFloats {

    /** The twin of the current {@link Kernels}: vector with vector, otherwise scalar. */
    static StoredFloats get() {
        return Kernels.get().host().name().equals("vector") ? new VectorStoredFloats() : new ScalarStoredFloats();
    }

    /** bf16 to float32, exact. */
    void bf16ToFloats(int n, short[] raw, int rawAt, float[] out, int outAt);

    /** float32 to bf16, to nearest, ties to even; NaN becomes the quiet NaN of its sign. */
    void floatsToBf16(int n, float[] values, int at, short[] raw, int rawAt);

    /** float32 to fp8 e4m3 (finite and NaN only), to nearest, ties to even; past 448 the largest value if {@code saturate}, else NaN. */
    void floatsToE4m3(int n, float[] values, int at, byte[] raw, int rawAt, boolean saturate);

    /** float32 to fp8 e5m2, to nearest, ties to even; past 57344 the largest value if {@code saturate}, else infinity. */
    void floatsToE5m2(int n, float[] values, int at, byte[] raw, int rawAt, boolean saturate);

    /**
     * Smallest and largest of each group of {@code groupSize} neighbours; the last group may be shorter. NaN where a group has one.
     *
     * @param min one value a group from {@code groupAt}, and {@code max} likewise
     */
    void groupExtremes(int n, int groupSize, float[] x, int at, float[] min, float[] max, int groupAt);
}
