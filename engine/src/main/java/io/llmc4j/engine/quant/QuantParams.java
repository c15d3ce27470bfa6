package io.llmc4j.engine.quant;

/**
 * What the ranges of a matrix are quantized with, one entry a range in the order of {@link RangeLayout}.
 *
 * @param scales       multipliers
 * @param zeros        zero points as floats; length 0 when all are zero (symmetric)
 * @param tensorScale  second level (NVFP4): a range's multiplier is scale / tensorScale; 1 elsewhere
 * @param outputFactor multiplied into the scale when dequantizing only (TesseraQ); length 0 where there is none
 */
public record QuantParams(float[] scales, float[] zeros, float tensorScale, float[] outputFactor) {

    private static final float[] NONE = new float[0];

    public QuantParams {
        if (zeros.length != 0 && zeros.length != scales.length || outputFactor.length != 0 && outputFactor.length != scales.length) {
            throw new IllegalArgumentException(scales.length + " scales, " + zeros.length + " zero points, " + outputFactor.length + " output factors");
        }
    }

    public QuantParams(float[] scales, float[] zeros) {
        this(scales, zeros, 1f, NONE);
    }

    /** Symmetric. */
    public QuantParams(float[] scales) {
        this(scales, NONE, 1f, NONE);
    }

    public QuantParams withOutputFactor(float[] factor) {
        return new QuantParams(scales, zeros, tensorScale, factor);
    }

    public int ranges() {
        return scales.length;
    }

    /** What a value is divided by before rounding. */
    public float scale(int range) {
        return tensorScale == 1f ? scales[range] : scales[range] / tensorScale;
    }

    public float zero(int range) {
        return zeros.length == 0 ? 0f : zeros[range];
    }

    /** What a code is multiplied by: scale times output factor, rounded once. */
    public float outputScale(int range) {
        return outputFactor.length == 0 ? scale(range) : scale(range) * outputFactor[range];
    }
}
