package io.llmc4j.engine.model;

/** How rotary frequencies are made (spec: models and exports, A.6); all from {@code base^(-2i/dims)}. */
public sealed interface RopeScaling {

    double base();

    record Plain(double base) implements RopeScaling { }

    record LinearScaling(double base, double factor) implements RopeScaling { }

    record Dynamic(double base, double factor, int maxPositions) implements RopeScaling { }

    record Llama3(double base, double factor, double lowFrequencyFactor, double highFrequencyFactor, int originalPositions) implements RopeScaling { }

    /** {@code mscale}, {@code mscaleAllDims}: 0 when absent; {@code attentionFactor}: 0 when it is to be derived. */
    record Yarn(double base, double factor, int originalPositions, double betaFast, double betaSlow, double mscale, double mscaleAllDims,
                double attentionFactor, boolean truncate) implements RopeScaling { }

    /** Divisors for each pair; {@code attentionFactor}: 0 when it is to be derived from the two lengths. */
    record LongRope(double base, double[] shortFactors, double[] longFactors, int originalPositions, int maxPositions, double attentionFactor)
            implements RopeScaling { }
}
