package io.llmc4j.engine.quant;

/**
 * One quantizer, as data: the grid, how tensors are cut, how ranges are found.
 *
 * @param roundZeroPoint integer zero points (false: real-valued ones, HQQ and SpQR)
 * @param straightThrough training: the gradient of rounding is 1
 * @param identityGradient training, activations only: the whole fake quantization has gradient 1 ({@code ste_all})
 * @param isStatic activations: parameters come from calibration, not from the tensor at hand
 */
public record QuantScheme(NumberFormat format, boolean symmetric, Granularity granularity, RangeRule range, boolean roundZeroPoint,
                          ScaleFormat scaleFormat, boolean straightThrough, boolean identityGradient, boolean isStatic) {

    /** Integer codes, minimum and maximum, integer zero points. */
    public static QuantScheme integer(int bits, boolean symmetric, Granularity granularity) {
        return new QuantScheme(NumberFormat.Int.of(bits, symmetric), symmetric, granularity, new RangeRule.MinMax(), true, ScaleFormat.FLOAT, false, false, false);
    }

    public QuantScheme withRange(RangeRule rule) {
        return new QuantScheme(format, symmetric, granularity, rule, roundZeroPoint, scaleFormat, straightThrough, identityGradient, isStatic);
    }

    public QuantScheme withGranularity(Granularity g) {
        return new QuantScheme(format, symmetric, g, range, roundZeroPoint, scaleFormat, straightThrough, identityGradient, isStatic);
    }

    public QuantScheme withFormat(NumberFormat f) {
        return new QuantScheme(f, symmetric, granularity, range, roundZeroPoint, scaleFormat, straightThrough, identityGradient, isStatic);
    }

    public QuantScheme withRoundZeroPoint(boolean round) {
        return new QuantScheme(format, symmetric, granularity, range, round, scaleFormat, straightThrough, identityGradient, isStatic);
    }

    public QuantScheme withScaleFormat(ScaleFormat s) {
        return new QuantScheme(format, symmetric, granularity, range, roundZeroPoint, s, straightThrough, identityGradient, isStatic);
    }

    public QuantScheme withGradients(boolean ste, boolean identity) {
        return new QuantScheme(format, symmetric, granularity, range, roundZeroPoint, scaleFormat, ste, identity, isStatic);
    }

    public QuantScheme withStatic(boolean s) {
        return new QuantScheme(format, symmetric, granularity, range, roundZeroPoint, scaleFormat, straightThrough, identityGradient, s);
    }

    public int bits() {
        return format.bits();
    }

    public boolean isInteger() {
        return format instanceof NumberFormat.Int;
    }
}
