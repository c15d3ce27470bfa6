package io.llmc4j.engine.quant;

import io.llmc4j.engine.tensor.Matrix;

/** The ways the input of a linear layer is quantized. */
public final class ActivationRoundings {

    private ActivationRoundings() {
    }

    /**
     * Ranges from the input at hand: per token, per group, or per tensor. What is of the tensor (its range, its heads, the second scale of NVFP4) is of
     * each sample by itself, so that the result does not depend on how many samples are computed together.
     */
    public static ActivationRounding dynamic(Quantizer quantizer) {
        Granularity.Kind kind = quantizer.scheme().granularity().kind();
        boolean whole = kind == Granularity.Kind.PER_TENSOR || kind == Granularity.Kind.PER_HEAD
                || quantizer.scheme().scaleFormat() == ScaleFormat.E4M3_TWO_LEVEL;
        return (x, batch, tokens) -> {
            if (!whole || batch == 1) {
                return quantizer.fakeQuantize(x);
            }
            Matrix out = new Matrix(x.rows(), x.cols());
            for (int b = 0; b < batch; b++) {
                float[] sample = quantizer.fakeQuantize(x.rows(b * tokens, (b + 1) * tokens)).data();
                System.arraycopy(sample, 0, out.data(), b * tokens * x.cols(), sample.length);
            }
            return out;
        };
    }

    /** Calibrated parameters, the same for every input (per tensor). */
    public static ActivationRounding stored(Quantizer quantizer, QuantParams params) {
        return (x, batch, tokens) -> quantizer.fakeQuantize(x, params);
    }

    /** Only the features {@code quantized} are quantized, ranges over them alone (per token); all others stay as they are. */
    public static ActivationRounding keepingFeatures(Quantizer quantizer, int[] quantized) {
        ActivationRounding inner = dynamic(quantizer);
        int[] picked = quantized.clone();
        return (x, batch, tokens) -> {
            Matrix out = x.copy();
            Columns.scatter(inner.fakeQuantize(Columns.gather(x, picked), batch, tokens), picked, out);
            return out;
        };
    }
}
