package io.llmc4j.engine.quant;

import io.llmc4j.engine.tensor.Matrix;

/**
 * A {@link QuantScheme} at work on matrices: weights [out, in] or activations [batch * tokens, features]. Thread-safe and without state;
 * arguments are never written to. Arithmetic: element by element in float32, no fused multiply-add (spec 1.4, 1.5).
 */
public interface Quantizer {

    /** LLMC's numbers where they differ from ours (oddities of spec 6.1). */
    static Quantizer of(QuantScheme scheme, boolean llmcCompatible) {
        return new GridQuantizer(scheme);
    }

    static Quantizer of(QuantScheme scheme) {
        return of(scheme, false);
    }

    QuantScheme scheme();

    /** Where the ranges of a matrix of this shape lie. Throws BadInput when they do not fit. */
    default RangeLayout layout(int rows, int cols) {
        return RangeLayout.of(scheme().granularity(), rows, cols);
    }

    /** Scales and zero points from the matrix at hand, by the scheme's range rule. */
    QuantParams params(Matrix x);

    /** Scales and zero points from the given ends of each range (in the order of {@link RangeLayout}). */
    QuantParams params(float[] lo, float[] hi);

    /** Quantized and dequantized with the matrix's own ranges. */
    default Matrix fakeQuantize(Matrix x) {
        return fakeQuantize(x, params(x));
    }

    /** Quantized and dequantized with the given parameters. */
    Matrix fakeQuantize(Matrix x, QuantParams p);

    /** Real codes with the matrix's own ranges. */
    default QuantizedMatrix quantize(Matrix x) {
        return quantize(x, params(x));
    }

    /** Real codes with the given parameters. Throws BadInput (NOT_SUPPORTED) when the format has none. */
    QuantizedMatrix quantize(Matrix x, QuantParams p);

    /** One sentence on why {@link #quantize} cannot give real codes; empty when it can. */
    String whyNoCodes();

    /** One column: value i has scale {@code scales[i]} and zero point {@code zeros[i]} ({@code zeros} of length 0: all zero). */
    void fakeQuantizeColumn(int n, float[] x, int xOff, float[] scales, float[] zeros, float[] out, int outOff);
}
