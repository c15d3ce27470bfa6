package io.llmc4j.runs;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.calibrate.CalibrationSet;
import io.llmc4j.engine.evaluate.Evaluation;
import io.llmc4j.engine.evaluate.Position;
import io.llmc4j.engine.pipeline.BlockFold;
import io.llmc4j.engine.pipeline.MethodStep;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.pipeline.RunListener;
import io.llmc4j.engine.pipeline.SchemePlan;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.RangeRule;
import io.llmc4j.families.FamilyModels;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.formats.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.Test;

/**
 * Perplexities of the sample model with outlier channels: where a paper says that its method wins, it wins here. The whole table takes minutes and is
 * made when asked for: {@code -Dllmc4j.table=true}; the claims are checked in every build.
 */
class OutlierTableTest {

    private static final Path SAMPLE = Path.of(System.getProperty("llmc4j.root"), "cli/samples/tiny-llama-en");
    private static final int TOKENS = 128;

    private final int[][] calibration;
    private final int[][] evaluation;

    OutlierTableTest() throws IOException {
        try (Tokenizer t = Tokenizer.open(SAMPLE)) {
            Path texts = SAMPLE.getParent();
            int[] all = t.encode(Files.readString(texts.resolve("calibration.txt")).substring(0, 40_000), false);
            calibration = Arrays.copyOf(Evaluation.windows(all, TOKENS), 24);
            evaluation = Arrays.copyOf(Evaluation.windows(t.encode(Files.readString(texts.resolve("evaluation.txt")).substring(0, 30_000), false), 256), 8);
        }
    }

    private static QuantScheme weightGroups(int bits) {
        return QuantScheme.integer(bits, false, Granularity.perGroup(64));
    }

    private static SchemePlan both(int bits) {
        return SchemePlan.of(QuantScheme.integer(bits, true, Granularity.PER_CHANNEL), QuantScheme.integer(bits, true, Granularity.PER_TOKEN));
    }

    private static SchemePlan staticEight() {
        return SchemePlan.of(QuantScheme.integer(8, true, Granularity.PER_CHANNEL),
                QuantScheme.integer(8, true, Granularity.PER_TENSOR).withRange(new RangeRule.StaticMinMax()).withStatic(true));
    }

    /** Trainable: learnt clipping and straight-through rounding. */
    private static SchemePlan learnable(SchemePlan p) {
        QuantScheme w = p.weight().orElseThrow().withRange(new RangeRule.Learnable()).withGradients(true, false);
        return p.activation().isPresent() ? SchemePlan.of(w, p.activation().get().withGradients(true, false)) : SchemePlan.of(w);
    }

    private double perplexity(SchemePlan plan, boolean quantOut, MethodStep... steps) {
        RunConfig config = RunConfig.of("RTN", Map.of(), plan).withMethods(List.of(steps)).withCalibration(new CalibrationSet("calibration", calibration, -1, TOKENS))
                .withQuantOut(quantOut).withEvaluations(List.of(Evaluation.perplexity("evaluation", evaluation, Position.FAKE_QUANT)));
        if (steps.length == 1 && List.of("OmniQuant", "TesseraQ", "NormTweaking", "SpinQuant", "OsPlus").contains(steps[0].name())) {
            config = config.withCalibration(new CalibrationSet("calibration", calibration, 1, TOKENS));
        }
        try (OutlierModel model = OutlierModel.of(HfModel.open(SAMPLE))) {
            return new BlockFold(model, config, List.of(), RunListener.NONE).run().evaluations().getFirst().value();
        }
    }

    private static MethodStep step(String name, Object... special) {
        Map<String, Object> m = new LinkedHashMap<>();
        for (int i = 0; i < special.length; i += 2) {
            m.put((String) special[i], special[i + 1]);
        }
        return new MethodStep(name, m);
    }

    @Test
    void outliersDoNotChangeTheFloatModel() {
        int[][] ids = {Arrays.copyOf(evaluation[0], 32)};
        try (HfModel plain = HfModel.open(SAMPLE); OutlierModel outliers = OutlierModel.of(HfModel.open(SAMPLE))) {
            float[] a = FamilyModels.logits(plain, ids).data();
            float[] b = FamilyModels.logits(outliers, ids).data();
            assertArrayEquals(a, b, 1e-3f);
        }
    }

    @Test
    void whatThePapersClaim() {
        double naive = perplexity(both(4), false, step("RTN"));
        double rotated = perplexity(both(4), false, step("QuaRot"));
        double smoothed = perplexity(both(4), false, step("SmoothQuant", "alpha", 0.5));
        assertTrue(rotated < naive / 5, "w4a4: QuaRot " + rotated + ", round to nearest " + naive);
        assertTrue(smoothed < naive / 2, "w4a4: SmoothQuant " + smoothed + ", round to nearest " + naive);
        SchemePlan two = SchemePlan.of(weightGroups(2));
        double nearest = perplexity(two, false, step("RTN"));
        double gptq = perplexity(two, true, step("GPTQ", "actorder", true, "true_sequential", false));
        double awq = perplexity(two, false, step("Awq", "weight_clip", true));
        assertTrue(gptq < nearest, "w2: GPTQ " + gptq + ", round to nearest " + nearest);
        assertTrue(awq < nearest, "w2: AWQ " + awq + ", round to nearest " + nearest);
    }


    @Test
    void table() {
        assumeTrue(Boolean.getBoolean("llmc4j.table"), "the whole table is made with -Dllmc4j.table=true");
        MethodStep omni = step("OmniQuant", "lwc", true, "let", false, "lwc_lr", 0.01, "epochs", 5);
        MethodStep omniBoth = step("OmniQuant", "lwc", true, "let", true, "lwc_lr", 0.01, "let_lr", 0.005, "alpha", 0.5, "epochs", 5);
        MethodStep tessera = step("TesseraQ", "iterations", 20, "thresholds", List.of(0.5, 0.25, 0.125, 0.02), "batch_size", 2, "weight_clip", true);
        MethodStep gptq = step("GPTQ", "actorder", true, "true_sequential", true);
        MethodStep spqr = step("SpQR", "relative_threshold", 0.2, "true_sequential", true);
        print("weights only, groups of 64, asymmetric", List.of("w4", "w3", "w2"), Map.ofEntries(
                row("RTN", b -> perplexity(SchemePlan.of(weightGroups(b)), false, step("RTN"))),
                row("RTN mse", b -> perplexity(SchemePlan.of(weightGroups(b).withRange(RangeRule.Mse.DEFAULT)), false, step("RTN"))),
                row("HQQ", b -> perplexity(SchemePlan.of(weightGroups(b).withRoundZeroPoint(false)), false, step("HQQ", "axis", 1))),
                row("AWQ", b -> perplexity(SchemePlan.of(weightGroups(b)), false, step("Awq", "weight_clip", true))),
                row("GPTQ", b -> perplexity(SchemePlan.of(weightGroups(b)), true, gptq)),
                row("AWQ, GPTQ", b -> perplexity(SchemePlan.of(weightGroups(b)), true, step("Awq", "weight_clip", false), gptq)),
                row("SpQR", b -> perplexity(SchemePlan.of(QuantScheme.integer(b, false, Granularity.perGroup(16)).withRoundZeroPoint(false)), true, spqr)),
                row("OWQ", b -> perplexity(SchemePlan.of(weightGroups(b)), true, step("GPTQ", "owq", true, "n_outs", List.of(6, 6, 6, 6, 2, 2, 6)))),
                row("OmniQuant", b -> perplexity(learnable(SchemePlan.of(weightGroups(b))), true, omni)),
                row("NormTweaking", b -> perplexity(SchemePlan.of(weightGroups(b)), true, step("NormTweaking", "ntweak_lr", 1e-5, "epochs", 10, "gamma", 0.001))),
                row("TesseraQ", b -> perplexity(learnable(SchemePlan.of(weightGroups(b))), true, tessera))), new int[] {4, 3, 2});
        print("weights per channel, activations per token, symmetric", List.of("w8a8", "w6a6", "w4a4"), Map.ofEntries(
                row("RTN", b -> perplexity(both(b), false, step("RTN"))),
                row("SmoothQuant", b -> perplexity(both(b), false, step("SmoothQuant", "alpha", 0.5))),
                row("OS+", b -> perplexity(both(b), true, step("OsPlus"))),
                row("AWQ", b -> perplexity(both(b), false, step("Awq", "weight_clip", false))),
                row("GPTQ", b -> perplexity(both(b), true, step("GPTQ", "actorder", true, "true_sequential", true))),
                row("AdaDim", b -> perplexity(both(b), true, step("AdaDim"))),
                row("QUIK, 16 channels", b -> perplexity(both(b), false, step("QUIK", "fp_features", 16, "fp_threshold", 0.0, "fp_relative", false))),
                row("LLM.int8()", b -> perplexity(both(b), false, step("LlmInt8", "threshold", 6.0, "refresh_weight", true))),
                row("NormTweaking", b -> perplexity(both(b), true, step("NormTweaking", "ntweak_lr", 1e-5, "epochs", 10, "gamma", 0.001))),
                row("OmniQuant", b -> perplexity(learnable(both(b)), true, omniBoth)),
                row("QuaRot", b -> perplexity(both(b), false, step("QuaRot"))),
                row("QuaRot online", b -> perplexity(both(b), false, step("QuaRot", "online_rotate", true))),
                row("QuaRot, GPTQ", b -> perplexity(both(b), true, step("QuaRot"), step("GPTQ", "actorder", true, "true_sequential", true))),
                row("SpinQuant", b -> perplexity(both(b), false, step("SpinQuant", "steps", 60)))), new int[] {8, 6, 4});
        print("static activations, one scale a tensor", List.of("w8a8"), Map.ofEntries(
                row("RTN", b -> perplexity(staticEight(), false, step("RTN"))),
                row("SmoothQuant", b -> perplexity(staticEight(), false, step("SmoothQuant", "alpha", 0.5))),
                row("OS+", b -> perplexity(staticEight(), true, step("OsPlus"))),
                row("QuaRot", b -> perplexity(staticEight(), false, step("QuaRot")))), new int[] {8});
    }

    private interface ByBits {
        double at(int bits);
    }

    private static Map.Entry<String, ByBits> row(String name, ByBits run) {
        return Map.entry(name, run);
    }

    private static void print(String title, List<String> columns, Map<String, ByBits> rows, int[] bits) {
        System.out.println(title);
        System.out.printf("| method | %s |%n|---|%s%n", String.join(" | ", columns), "---|".repeat(columns.size()));
        for (String name : rows.keySet().stream().sorted().toList()) {
            StringBuilder line = new StringBuilder("| " + name + " |");
            for (int b : bits) {
                String cell;
                try {
                    cell = String.format(Locale.ROOT, "%.2f", rows.get(name).at(b));
                } catch (BadInput e) {
                    cell = "refused: " + e.getMessage();
                }
                line.append(' ').append(cell).append(" |");
            }
            System.out.println(line);
        }
    }
}
