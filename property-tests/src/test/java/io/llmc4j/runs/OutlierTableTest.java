package io.llmc4j.runs;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

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
import java.io.PrintWriter;
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
        double offline = perplexity(staticEight(), false, step("QuaRot"));
        double online = perplexity(staticEight(), false, step("QuaRot", "online_rotate", true));
        assertTrue(online < offline - 1, "static w8a8: rotated online " + online + ", offline " + offline);
        assertTrue(smoothed < naive / 2, "w4a4: SmoothQuant " + smoothed + ", round to nearest " + naive);
        SchemePlan two = SchemePlan.of(weightGroups(2));
        double nearest = perplexity(two, false, step("RTN"));
        double gptq = perplexity(two, true, step("GPTQ", "actorder", true, "true_sequential", false));
        double awq = perplexity(two, false, step("Awq", "weight_clip", true));
        assertTrue(gptq < nearest, "w2: GPTQ " + gptq + ", round to nearest " + nearest);
        assertTrue(awq < nearest, "w2: AWQ " + awq + ", round to nearest " + nearest);
    }

    /** Rows whose name matches the property are made; "true" makes all. They stand in the file as they come. */
    @Test
    void table() throws IOException {
        String wanted = System.getProperty("llmc4j.table", "false");
        assumeFalse(wanted.equals("false"), "the whole table is made with -Dllmc4j.table=true");
        MethodStep omni = step("OmniQuant", "lwc", true, "let", false, "lwc_lr", 0.01, "epochs", 5);
        MethodStep omniBoth = step("OmniQuant", "lwc", true, "let", true, "lwc_lr", 0.01, "let_lr", 0.005, "alpha", 0.5, "epochs", 5);
        MethodStep tessera = step("TesseraQ", "iterations", 20, "thresholds", List.of(0.5, 0.25, 0.125, 0.02), "batch_size", 2, "weight_clip", true);
        MethodStep gptq = step("GPTQ", "actorder", true, "true_sequential", true);
        MethodStep awq = step("Awq", "weight_clip", true);
        MethodStep scales = step("Awq", "weight_clip", false);
        MethodStep spqr = step("SpQR", "relative_threshold", 0.2, "true_sequential", true);
        MethodStep smooth = step("SmoothQuant", "alpha", 0.5);
        Map<String, ByBits> weights = new LinkedHashMap<>();
        weights.put("RTN", b -> perplexity(SchemePlan.of(weightGroups(b)), false, step("RTN")));
        weights.put("RTN, mse", b -> perplexity(SchemePlan.of(weightGroups(b).withRange(RangeRule.Mse.DEFAULT)), false, step("RTN")));
        weights.put("RTN, real zero points", b -> perplexity(SchemePlan.of(weightGroups(b).withRoundZeroPoint(false)), false, step("RTN")));
        weights.put("HQQ", b -> perplexity(SchemePlan.of(weightGroups(b).withRoundZeroPoint(false)), false, step("HQQ", "axis", 1)));
        weights.put("AdaDim", b -> perplexity(SchemePlan.of(weightGroups(b)), true, step("AdaDim")));
        weights.put("AWQ", b -> perplexity(SchemePlan.of(weightGroups(b)), false, awq));
        weights.put("GPTQ", b -> perplexity(SchemePlan.of(weightGroups(b)), true, gptq));
        weights.put("AWQ, GPTQ", b -> perplexity(SchemePlan.of(weightGroups(b)), true, scales, gptq));
        weights.put("SpQR, groups of 16", b -> perplexity(SchemePlan.of(QuantScheme.integer(b, false, Granularity.perGroup(16)).withRoundZeroPoint(false)), true, spqr));
        weights.put("OWQ", b -> perplexity(SchemePlan.of(weightGroups(b)), true, step("GPTQ", "owq", true, "n_outs", List.of(6, 6, 6, 6, 2, 2, 6))));
        weights.put("NormTweaking", b -> perplexity(SchemePlan.of(weightGroups(b)), true, step("NormTweaking", "ntweak_lr", 1e-5, "epochs", 10, "gamma", 0.001)));
        weights.put("QuaRot, GPTQ", b -> perplexity(SchemePlan.of(weightGroups(b)), true, step("QuaRot"), gptq));
        weights.put("OmniQuant", b -> perplexity(learnable(SchemePlan.of(weightGroups(b))), true, omni));
        weights.put("AWQ, OmniQuant", b -> perplexity(learnable(SchemePlan.of(weightGroups(b))), true, scales, omni));
        weights.put("TesseraQ", b -> perplexity(learnable(SchemePlan.of(weightGroups(b))), true, tessera));
        weights.put("AWQ, TesseraQ", b -> perplexity(learnable(SchemePlan.of(weightGroups(b))), true, scales, tessera));
        Map<String, ByBits> inputs = new LinkedHashMap<>();
        inputs.put("RTN", b -> perplexity(both(b), false, step("RTN")));
        inputs.put("SmoothQuant", b -> perplexity(both(b), false, smooth));
        inputs.put("OS+", b -> perplexity(both(b), true, step("OsPlus")));
        inputs.put("AWQ", b -> perplexity(both(b), false, scales));
        inputs.put("GPTQ", b -> perplexity(both(b), true, gptq));
        inputs.put("SmoothQuant, GPTQ", b -> perplexity(both(b), true, smooth, gptq));
        inputs.put("AdaDim", b -> perplexity(both(b), true, step("AdaDim")));
        inputs.put("QUIK, 16 channels", b -> perplexity(both(b), false, step("QUIK", "fp_features", 16, "fp_threshold", 0.0, "fp_relative", false)));
        inputs.put("LLM.int8(), split by input", b -> perplexity(both(b), false, step("LlmInt8", "threshold", 6.0, "refresh_weight", true)));
        inputs.put("NormTweaking", b -> perplexity(both(b), true, step("NormTweaking", "ntweak_lr", 1e-5, "epochs", 10, "gamma", 0.001)));
        inputs.put("QuaRot", b -> perplexity(both(b), false, step("QuaRot")));
        inputs.put("QuaRot online", b -> perplexity(both(b), false, step("QuaRot", "online_rotate", true)));
        inputs.put("QuaRot online, GPTQ", b -> perplexity(both(b), true, step("QuaRot", "online_rotate", true), gptq));
        inputs.put("SpinQuant", b -> perplexity(both(b), false, step("SpinQuant", "steps", 60)));
        inputs.put("OmniQuant", b -> perplexity(learnable(both(b)), true, omniBoth));
        Map<String, ByBits> fixed = new LinkedHashMap<>();
        fixed.put("RTN", b -> perplexity(staticEight(), false, step("RTN")));
        fixed.put("SmoothQuant", b -> perplexity(staticEight(), false, smooth));
        fixed.put("OS+", b -> perplexity(staticEight(), true, step("OsPlus")));
        fixed.put("AWQ", b -> perplexity(staticEight(), false, scales));
        fixed.put("QuaRot", b -> perplexity(staticEight(), false, step("QuaRot")));
        fixed.put("QuaRot online", b -> perplexity(staticEight(), false, step("QuaRot", "online_rotate", true)));
        Path file = Path.of("target", "outlier-table.md");
        Files.createDirectories(file.getParent());
        try (PrintWriter out = new PrintWriter(Files.newBufferedWriter(file))) {
            print(out, wanted, "static inputs, one scale a tensor", "w8a8", fixed, 8);
            print(out, wanted, "weights per channel, inputs per token, symmetric", "w8a8 | w6a6 | w4a4", inputs, 8, 6, 4);
            print(out, wanted, "weights only, groups of 64, asymmetric", "w4 | w3 | w2", weights, 4, 3, 2);
        }
    }

    private interface ByBits {
        double at(int bits);
    }

    private static void print(PrintWriter out, String wanted, String title, String columns, Map<String, ByBits> rows, int... bits) {
        say(out, "| " + title + " | " + columns + " |");
        say(out, "| --- |" + " --- |".repeat(bits.length));
        rows.forEach((name, run) -> {
            if (!wanted.equals("true") && !name.matches(wanted)) {
                return;
            }
            StringBuilder line = new StringBuilder("| " + name + " |");
            for (int b : bits) {
                try {
                    double p = run.at(b);
                    line.append(String.format(Locale.ROOT, p < 1000 ? " %.2f |" : " %.0f |", p));
                } catch (BadInput e) {
                    line.append(" refused: ").append(e.getMessage()).append(" |");
                }
            }
            say(out, line.toString());
        });
        say(out, "");
    }

    private static void say(PrintWriter out, String line) {
        out.println(line);
        out.flush();
        System.out.println(line);
    }
}
