package io.llmc4j.engine.quant;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.tensor.Matrix;

/**
 * A {@link QuantScheme} at work on matrices: weights [out, in] or activations [batch * tokens, features]. Thread-safe and without state;
 * arguments are never written to. Arithmetic: element by element in float32, no fused multiply-add (spec 1.4, 1.5).
 */
public sealed interface Quantizer permits GridQuantizer, AdaptiveFloatQuantizer, Int4OverInt8Quantizer {

    /** The quantizer of a scheme. {@code llmcCompatible}: LLMC's numbers where ours differ by default (spec 6.1). */
    static Quantizer of(QuantScheme scheme, boolean llmcCompatible) {
        if (scheme.scaleFormat() != ScaleFormat.FLOAT
                && !(scheme.format() instanceof NumberFormat.Float f && f.path() == NumberFormat.Float.Path.NEAREST_EVEN)) {
            throw BadInput.of(BadInput.Common.CONFIG, "scales of the form %s belong to small floats rounded to the nearest (microscaling, NVFP4), not to %s",
                    scheme.scaleFormat(), scheme.format());
        }
        return switch (scheme.format()) {
            case NumberFormat.Int4OverInt8 f -> new Int4OverInt8Quantizer(scheme, f);
            case NumberFormat.Float f when f.path() == NumberFormat.Float.Path.ADAPTIVE -> new AdaptiveFloatQuantizer(scheme, f, llmcCompatible);
            case NumberFormat.Float f -> new GridQuantizer(scheme, FloatGrid.of(f));
            case NumberFormat.Int f -> new GridQuantizer(scheme, new IntegerGrid(f, scheme.roundZeroPoint()));
        };
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

    /**
     * Scales and zero points from the given ends of each range (in the order of {@link RangeLayout}). Two-level formats: the ranges are those of
     * a whole tensor.
     */
    default QuantParams params(float[] lo, float[] hi) {
        return params(lo, hi, tensorScale(lo, hi));
    }

    /** As {@link #params(float[], float[])} for some ranges of a tensor whose second-level scale is known (1 for formats of one level). */
    QuantParams params(float[] lo, float[] hi, float tensorScale);

    /** The second-level scale of a tensor with these ranges; 1 for formats of one level. */
    default float tensorScale(float[] lo, float[] hi) {
        return 1f;
    }

    /** The second-level scale of a whole tensor; 1 for formats of one level. */
    default float tensorScale(Matrix x) {
        Extremes e = Extremes.minMax(x, layout(x.rows(), x.cols()));
        return tensorScale(e.lo(), e.hi());
    }

    /** Quantized and dequantized with the matrix's own ranges. */
    default Matrix fakeQuantize(Matrix x) {
        return fakeQuantize(x, params(x));
    }

    /** Quantized and dequantized with the given parameters. */
    default Matrix fakeQuantize(Matrix x, QuantParams p) {
        Matrix out = new Matrix(x.rows(), x.cols());
        fakeQuantizeInto(x, p, out);
        return out;
    }

    /** As {@link #fakeQuantize(Matrix)} into a matrix of the same shape that the caller keeps (searches); it may be x itself. */
    default void fakeQuantizeInto(Matrix x, Matrix out) {
        fakeQuantizeInto(x, params(x), out);
    }

    /** As {@link #fakeQuantize(Matrix, QuantParams)} into a matrix of the same shape that the caller keeps; it may be x itself. */
    default void fakeQuantizeInto(Matrix x, QuantParams p, Matrix out) {
        if (out.rows() != x.rows() || out.cols() != x.cols()) {
            throw new IllegalArgumentException(x + " into " + out);
        }
        RangeLayout layout = fit(x, p);
        Parallel.forRange(layout.segments(), layout.grain(), (from, to) -> {
            for (int s = from; s < to; s++) {
                int r = layout.range(s);
                int start = layout.start(s);
                fakeQuantizeRun(layout.length(s), x.data(), start, p.scale(r), p.zero(r), p.outputScale(r), out.data(), start);
            }
        });
    }

    /** One run of n values of one range: divided by {@code scale}, rounded, multiplied by {@code outScale}. */
    void fakeQuantizeRun(int n, float[] x, int xOff, float scale, float zero, float outScale, float[] out, int outOff);

    /** One column: value i has scale {@code scales[i]} and zero point {@code zeros[i]} ({@code zeros} of length 0: all zero). */
    void fakeQuantizeColumn(int n, float[] x, int xOff, float[] scales, float[] zeros, float[] out, int outOff);

    /** Real codes with the matrix's own ranges. */
    default QuantizedMatrix quantize(Matrix x) {
        return quantize(x, params(x));
    }

    /** Real codes with the given parameters. Throws BadInput (NOT_SUPPORTED) when the format has none. */
    QuantizedMatrix quantize(Matrix x, QuantParams p);

    /** One sentence on why {@link #quantize} cannot give real codes; empty when it can. */
    String whyNoCodes();

    /** The layout of x, held against the number of parameters. */
    default RangeLayout fit(Matrix x, QuantParams p) {
        RangeLayout layout = layout(x.rows(), x.cols());
        if (layout.ranges() != p.ranges()) {
            throw new IllegalArgumentException(x + " " + scheme().granularity() + " has " + layout.ranges() + " ranges, not " + p.ranges());
        }
        return layout;
    }
}
