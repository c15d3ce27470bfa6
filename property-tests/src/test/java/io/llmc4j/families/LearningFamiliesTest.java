package io.llmc4j.families;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.calibrate.CalibrationSet;
import io.llmc4j.engine.evaluate.Evaluation;
import io.llmc4j.engine.evaluate.Position;
import io.llmc4j.engine.pipeline.BlockFold;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.pipeline.RunListener;
import io.llmc4j.engine.pipeline.RunSummary;
import io.llmc4j.engine.pipeline.SchemePlan;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.RangeRule;
import io.llmc4j.formats.hf.HfModel;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Methods that learn, on the families whose attention or gates are their own. (Gradients themselves: {@code runs/TapedBlockTest}.) */
class LearningFamiliesTest {

    private static final QuantScheme INT4 = QuantScheme.integer(4, true, Granularity.perGroup(16));
    private static final QuantScheme LEARNT = INT4.withRange(new RangeRule.Learnable()).withGradients(true, false);

    @ParameterizedTest
    @CsvSource({"deepseek-v2, OmniQuant", "deepseek-v3, TesseraQ", "deepseek-v2-lite, NormTweaking", "deepseek-v2, SpinQuant", "gpt-oss, OmniQuant", "gpt-oss, TesseraQ",
        "gpt-oss, NormTweaking", "gpt-oss, SpinQuant"})
    void runs(String variant, String method) {
        Map<String, Object> special = switch (method) {
            case "OmniQuant" -> Map.of("let", false, "lwc", true, "epochs", 3);
            case "TesseraQ" -> Map.of("iterations", 3, "thresholds", List.of(0.5, 0.1), "weight_clip", false);
            case "NormTweaking" -> Map.of("epochs", 3, "ntweak_lr", 1e-4);
            default -> Map.of("steps", 4);
        };
        int[] ids = FamilyModels.ids(variant)[0];
        int[][] samples = {Arrays.copyOfRange(ids, 0, 24), Arrays.copyOfRange(ids, 16, 40)};
        RunConfig run = RunConfig.of(method, special, SchemePlan.of(method.equals("OmniQuant") || method.equals("TesseraQ") ? LEARNT : INT4)).withQuantOut(true)
                .withCalibration(new CalibrationSet("ids", samples, 1, 24))
                .withEvaluations(List.of(new Evaluation("ids", Evaluation.Kind.PERPLEXITY, new int[][] {ids}, Set.of(Position.PRETRAIN, Position.TRANSFORMED, Position.FAKE_QUANT))));
        try (HfModel m = FamilyModels.open(variant)) {
            RunSummary s = new BlockFold(m, run, List.of(), RunListener.NONE).run();
            double before = at(s, Position.PRETRAIN);
            assertEquals(1, at(s, Position.FAKE_QUANT) / before, 0.2, variant + " " + method);
            s.layers().forEach(l -> assertTrue(l.relativeError() < 0.35, variant + " " + method + " " + l));
            if (method.equals("SpinQuant")) {
                // what was turned was turned back
                assertEquals(1, at(s, Position.TRANSFORMED) / before, 1e-4, variant);
            }
        }
    }

    private static double at(RunSummary s, Position p) {
        return s.evaluations().stream().filter(e -> e.position() == p).findFirst().orElseThrow().value();
    }
}
