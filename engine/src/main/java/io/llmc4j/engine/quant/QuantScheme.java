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

    /**
     * Microscaling: "e2m1" (MXFP4), "e2m3" and "e3m2" (MXFP6), "e4m3" and "e5m2" (MXFP8) over groups of 32 with power-of-two scales (OCP MX 1.0).
     */
    public static QuantScheme microscaling(String label) {
        return new QuantScheme(NumberFormat.Float.of(label, NumberFormat.Float.Path.NEAREST_EVEN), true, Granularity.perGroup(32), new RangeRule.MinMax(), true,
                ScaleFormat.E8M0, false, false, false);
    }

    /** NVFP4: e2m1 over groups of 16, e4m3 scales, one float32 scale for the tensor. */
    public static QuantScheme nvfp4() {
        return microscaling("e2m1").withGranularity(Granularity.perGroup(16)).withScaleFormat(ScaleFormat.E4M3_TWO_LEVEL);
    }

    /** A small float on a fixed grid with one float32 scale a range; symmetric. */
    public static QuantScheme floating(String label, NumberFormat.Float.Path path, Granularity granularity) {
        return new QuantScheme(NumberFormat.Float.of(label, path), true, granularity, new RangeRule.MinMax(), true, ScaleFormat.FLOAT, false, false, false);
    }

    /** Block FP8 of DeepSeek-V3 checkpoints: e4m3, float32 scales over square blocks, rounded as LLMC's generic routine does (spec 1.13). */
    public static QuantScheme blockFp8(int edge) {
        return floating("e4m3", NumberFormat.Float.Path.EMULATED, Granularity.perBlock(edge));
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
