package io.llmc4j.families;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.calibrate.CalibrationSet;
import io.llmc4j.engine.evaluate.Evaluation;
import io.llmc4j.engine.evaluate.Position;
import io.llmc4j.engine.method.Method;
import io.llmc4j.engine.method.Methods;
import io.llmc4j.engine.pipeline.BlockFold;
import io.llmc4j.engine.pipeline.IgnoredLayers;
import io.llmc4j.engine.pipeline.KvCacheScheme;
import io.llmc4j.engine.pipeline.MethodStep;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.pipeline.RunListener;
import io.llmc4j.engine.pipeline.RunSummary;
import io.llmc4j.engine.pipeline.SchemePlan;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.RangeRule;
import io.llmc4j.formats.hf.HfModel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every method runs on every family: a step or two of it on the tiny model, to the end, with finite perplexity that is not far from the float model's; or
 * one sentence says why not, before anything is done. {@code -Dllmc4j.families=full} takes every variant of a family; without it one of each kind of decoder.
 */
class EveryMethodTest {

    private static final boolean FULL = "full".equals(System.getProperty("llmc4j.families"));
    private static final Granularity GROUPS = Granularity.perGroup(16);
    private static final SchemePlan WEIGHTS = SchemePlan.of(QuantScheme.integer(4, false, GROUPS));
    private static final SchemePlan BOTH = SchemePlan.of(QuantScheme.integer(8, true, Granularity.PER_CHANNEL), QuantScheme.integer(8, true, Granularity.PER_TOKEN));
    private static final SchemePlan LEARNT = SchemePlan.of(QuantScheme.integer(4, false, GROUPS).withRange(new RangeRule.Learnable()).withGradients(true, false));
    private static final SchemePlan LEARNT_BOTH = SchemePlan.of(QuantScheme.integer(8, true, Granularity.PER_CHANNEL).withRange(new RangeRule.Learnable()).withGradients(true, false),
            QuantScheme.integer(8, true, Granularity.PER_TOKEN).withGradients(true, false));
    private static final SchemePlan TWO_LEVEL = SchemePlan.of(QuantScheme.integer(8, true, Granularity.PER_CHANNEL).withFormat(
            new NumberFormat.Int4OverInt8(QuantScheme.integer(8, true, Granularity.PER_CHANNEL), QuantScheme.integer(4, false, GROUPS),
                    new NumberFormat.SecondLevel(Float.NEGATIVE_INFINITY, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, Float.POSITIVE_INFINITY))),
            QuantScheme.integer(8, true, Granularity.PER_TOKEN));
    private static final SchemePlan NONE = new SchemePlan(Optional.empty(), Optional.empty(), List.of(), IgnoredLayers.NONE);
    private static final KvCacheScheme NAIVE = new KvCacheScheme("Naive", QuantScheme.integer(8, true, Granularity.PER_TOKEN), 128);
    private static final KvCacheScheme KIVI = new KvCacheScheme("Kivi", QuantScheme.integer(8, true, Granularity.PER_TOKEN), 8);

    private record Column(String name, SchemePlan schemes, boolean data, boolean quantOut, Optional<KvCacheScheme> cache, List<MethodStep> steps) { }

    private static final List<Column> COLUMNS = List.of(
            column("RTN", BOTH, false, "RTN"), column("AWQ", WEIGHTS, false, "Awq", "weight_clip", true), column("GPTQ", WEIGHTS, true, "GPTQ", "actorder", true, "true_sequential", true),
            column("OWQ", WEIGHTS, true, "OWQ", "owq", true, "n_outs", List.of(2)), column("SmoothQuant", BOTH, false, "SmoothQuant"), column("OS+", BOTH, true, "OsPlus", "true_sequential", true),
            column("OmniQuant", LEARNT, true, "OmniQuant", "lwc", true, "let", false, "epochs", 1),
            column("OmniQuant LET", LEARNT_BOTH, true, "OmniQuant", "lwc", true, "let", true, "alpha", 0.5, "epochs", 1),
            column("TesseraQ", LEARNT, true, "TesseraQ", "iterations", 1, "thresholds", List.of(0.5, 0.1), "batch_size", 1, "lr", 5e-4),
            column("NormTweaking", BOTH, true, "NormTweaking", "ntweak_lr", 1e-6, "gamma", 0.001, "epochs", 1), column("AdaDim", BOTH, true, "AdaDim"),
            column("HQQ", SchemePlan.of(WEIGHTS.weight().orElseThrow().withRoundZeroPoint(false)), false, "HQQ", "axis", 1),
            column("SpQR", SchemePlan.of(WEIGHTS.weight().orElseThrow().withRoundZeroPoint(false)), true, "SpQR", "true_sequential", true, "relative_threshold", 0.2),
            column("DGQ", TWO_LEVEL, false, "DGQ"), column("QUIK", BOTH, false, "QUIK", "fp_features", 2, "fp_threshold", 0.0, "fp_relative", false),
            column("LLM.int8()", BOTH, false, "LlmInt8", "threshold", 6.0), column("QuaRot", BOTH, false, "Quarot", "keep_embedding_mean", true),
            column("SpinQuant", BOTH, false, "SpinQuant", "steps", 1), column("Magnitude", NONE, false, "Magnitude", "sparsity", 0.2), column("Wanda", NONE, false, "Wanda", "sparsity", 0.2),
            column("ShortGPT", NONE, false, "ShortGPT", "n_prune_layers", 1),
            new Column("Naive cache", BOTH, false, false, Optional.of(NAIVE), List.of(step("RTN"))), new Column("KIVI", BOTH, false, false, Optional.of(KIVI), List.of(step("RTN"))),
            new Column("AWQ, GPTQ", WEIGHTS, true, true, Optional.empty(), List.of(step("Awq", "weight_clip", false), step("GPTQ", "actorder", true, "true_sequential", true))));

    private static final Map<String, List<String>> TABLE = new LinkedHashMap<>();
    private static final Map<String, Set<String>> REASONS = new LinkedHashMap<>();

    private static MethodStep step(String method, Object... special) {
        Map<String, Object> m = new LinkedHashMap<>();
        for (int i = 0; i < special.length; i += 2) {
            m.put((String) special[i], special[i + 1]);
        }
        return new MethodStep(method, m);
    }

    private static Column column(String name, SchemePlan schemes, boolean quantOut, String method, Object... special) {
        return new Column(name, schemes, true, quantOut, Optional.empty(), List.of(step(method, special)));
    }

    static List<String> variants() {
        if (FULL) {
            return FamilyModels.VARIANTS;
        }
        return List.of("bloom-12heads", "deepseek-v2", "falcon-new", "gemma2", "gpt-oss", "gpt2", "llama-rope-llama3", "opt", "phi", "qwen2-moe");
    }

    @BeforeAll
    static void clear() {
        TABLE.clear();
        REASONS.clear();
    }

    @Test
    void noMethodIsLeftOut() {
        Set<String> here = new TreeSet<>();
        COLUMNS.forEach(c -> c.steps().forEach(s -> here.add(Methods.named(s.name()).name())));
        assertEquals(new TreeSet<>(Methods.all().stream().map(Method::name).toList()), here);
    }

    @ParameterizedTest
    @MethodSource("variants")
    void family(String variant) {
        List<String> row = new ArrayList<>();
        try (HfModel m = FamilyModels.open(variant)) {
            for (Column c : COLUMNS) {
                row.add(cell(m, variant, c));
            }
        }
        TABLE.put(variant, row);
    }

    private static String cell(HfModel m, String variant, Column c) {
        int[] ids = FamilyModels.ids(variant)[0];
        int[][] samples = {Arrays.copyOfRange(ids, 0, 16), Arrays.copyOfRange(ids, 8, 24)};
        boolean[] begun = new boolean[1];
        RunConfig run = new RunConfig(c.steps(), c.schemes(), c.cache(), c.data() ? Optional.of(new CalibrationSet("ids", samples, 1, 16)) : Optional.empty(), c.quantOut(),
                List.of(new Evaluation("ids", Evaluation.Kind.PERPLEXITY, new int[][] {ids}, Set.of(Position.PRETRAIN, Position.FAKE_QUANT))), false, 1, RunConfig.Memory.DEFAULT,
                io.llmc4j.engine.pipeline.ExpertRules.DEFAULT, io.llmc4j.engine.pipeline.InnerSites.NONE);
        try {
            RunSummary s = new BlockFold(m, run, List.of(), new RunListener() {
                @Override
                public void layerDone(io.llmc4j.engine.pipeline.LayerResult layer) {
                    begun[0] = true;
                }
            }).run();
            double before = s.evaluations().get(0).value();
            double after = s.evaluations().get(1).value();
            // A block less of two changes everything.
            assertTrue(Double.isFinite(after) && (c.name().equals("ShortGPT") || after > 0.5 * before && after < 2 * before), variant + " " + c.name() + ": perplexity " + before + " became " + after);
            return "yes";
        } catch (BadInput e) {
            assertFalse(begun[0], variant + " " + c.name() + " stops in the middle: " + e.getMessage());
            REASONS.computeIfAbsent(c.name() + ": " + e.getMessage().replaceAll("\\s+", " ").replaceAll("(model|transformer|gpt_neox)[.a-z_0-9]+", "…"), k -> new LinkedHashSet<>()).add(variant);
            return "-";
        }
    }

    @AfterAll
    static void print() {
        System.out.println("| variant | " + String.join(" | ", COLUMNS.stream().map(Column::name).toList()) + " |");
        System.out.println("|" + " --- |".repeat(COLUMNS.size() + 1));
        TABLE.forEach((variant, row) -> System.out.println("| " + variant + " | " + String.join(" | ", row) + " |"));
        REASONS.forEach((why, who) -> System.out.println("  not for " + String.join(", ", who) + ": " + (why.length() > 300 ? why.substring(0, 300) + " ..." : why)));
    }
}
