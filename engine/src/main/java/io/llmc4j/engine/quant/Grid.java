package io.llmc4j.engine.quant;

/**
 * Rounding to a fixed set of codes, given the range's scale and zero point. One call handles one run of a range, so the dispatch costs
 * nothing an element. Values are divided by {@code scale}, rounded, and multiplied by {@code outScale}.
 */
sealed interface Grid permits IntegerGrid, FloatGrid {

    /** Code that the lowest value gets, as a number. */
    float qmin();

    /** The number that a scale is computed against. */
    float qmax();

    /** Quantize and dequantize n values of one range. */
    void fakeQuantize(int n, float[] x, int xOff, float scale, float zero, float outScale, float[] out, int outOff);

    /** As {@link #fakeQuantize}, each value with its own scale and zero point (a column; {@code zeros} of length 0: all zero). */
    void fakeQuantizeEach(int n, float[] x, int xOff, float[] scales, float[] zeros, float[] out, int outOff);

    /** Codes (integers: their value; floats: bit patterns) of n values of one range. */
    void codes(int n, float[] x, int xOff, float scale, float zero, byte[] out, int outOff);

    /** The number that a stored code stands for, before the zero point and the scale; [256], indexed by the unsigned byte. */
    float[] values();
}
