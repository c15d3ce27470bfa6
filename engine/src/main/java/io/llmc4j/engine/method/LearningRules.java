package io.llmc4j.engine.method;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.method.training.TapedQuantizers;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.quant.QuantScheme;
import java.util.function.Function;

/** What a stage that trains needs of a run; said before the first block is read. */
final class LearningRules {

    private LearningRules() {
    }

    /** For stages through whose weights a gradient flows. */
    static void check(String stage, RunConfig config) {
        refuseWeights(stage, config, TapedQuantizers::refusal);
        checkOutputs(stage, config);
    }

    static void refuseWeights(String stage, RunConfig config, Function<QuantScheme, String> refusal) {
        for (QuantScheme w : config.schemes().weights()) {
            String why = refusal.apply(w);
            if (!why.isEmpty()) {
                throw BadInput.of(BadInput.Common.NOT_SUPPORTED, "%s: weights: %s", stage, why);
            }
        }
    }

    /** For stages that learn from a block's outputs, whatever its weights are rounded to. */
    static void checkOutputs(String stage, RunConfig config) {
        for (QuantScheme a : config.schemes().activations()) {
            if (a.isStatic()) {
                throw BadInput.of(BadInput.Common.NOT_SUPPORTED, "%s trains with dynamic activations; set quant.act.static: false", stage);
            }
        }
        config.experts().refuseOtherTokens(stage, "learns from outputs, in which an expert has a part only by the tokens that it is sent");
        if (config.calibration().isEmpty()) {
            throw BadInput.of(BadInput.Common.CONFIG, "%s needs calibration data; add a calib section (or --calib FILE)", stage);
        }
    }
}
