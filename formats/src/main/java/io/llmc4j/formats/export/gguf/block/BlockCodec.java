package io.llmc4j.formats.export.gguf.block;

/**
 * Encodes and decodes rows of one tensor type. A row is a whole number of blocks; no state, so rows can go to any thread.
 *
 * <p>Rows must be finite: a caller checks them before (an encoder's result for NaN or infinity is not defined).
 */
public interface BlockCodec {

    /** The importance vector of an encoder that has none. */
    float[] NO_IMPORTANCE = {};

    /**
     * One row.
     *
     * @param x          row of {@code n} values from {@code xOff}; n a multiple of the type's block
     * @param importance weight of each column's squared error, at least 0, [n]; or length 0: the type's own weighting
     * @param out        receives {@code n / elements * bytes} bytes from {@code outOff}
     */
    void encode(float[] x, int xOff, int n, float[] importance, byte[] out, int outOff);

    /** One row back to float32. */
    void decode(byte[] in, int inOff, int n, float[] out, int outOff);
}
