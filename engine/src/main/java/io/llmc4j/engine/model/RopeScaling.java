package io.llmc4j.engine.model;

import java.util.List;

/** How rotary frequencies are made; all start from {@code base^(-2i/dims)} for pair i. */
public sealed interface RopeScaling {

    double base();

    record Plain(double base) implements RopeScaling { }

    /** Positions divided by {@code factor}. */
    record LinearScaling(double base, double factor) implements RopeScaling { }

    /** NTK-aware: the base grows with sequences longer than {@code maxPositions}. */
    record Dynamic(double base, double factor, int maxPositions) implements RopeScaling { }

    /** Qwen (first version): NTK-aware with the factor's exponent rounded up to a power of two of {@code trainedPositions}. */
    record QwenDynamic(double base, int trainedPositions) implements RopeScaling { }

    /** Long waves are slowed by {@code factor}, short ones kept, those between blended (Llama 3.1). */
    record Llama3(double base, double factor, double lowFrequencyFactor, double highFrequencyFactor, int originalPositions) implements RopeScaling { }

    /** arXiv 2309.00071. {@code mscale}, {@code mscaleAllDims}: 0 when absent; {@code attentionFactor}: 0 when it is to be derived. */
    record Yarn(double base, double factor, int originalPositions, double betaFast, double betaSlow, double mscale, double mscaleAllDims,
                double attentionFactor, boolean truncate) implements RopeScaling {

        /** The paper's temperature term 0.1 m ln(factor) + 1. */
        public static double temperature(double factor, double m) {
            return factor <= 1 ? 1 : 0.1 * m * StrictMath.log(factor) + 1;
        }
    }

    /** Divisors for each pair; {@code attentionFactor}: 0 when it is to be derived from the two lengths. */
    record LongRope(double base, List<Double> shortFactors, List<Double> longFactors, int originalPositions, int maxPositions,
                    double attentionFactor) implements RopeScaling {

        public LongRope {
            shortFactors = List.copyOf(shortFactors);
            longFactors = List.copyOf(longFactors);
        }
    }
}
