package io.llmc4j.families;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.calibrate.CalibrationSet;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.pipeline.BlockFold;
import io.llmc4j.engine.pipeline.ExpertRules;
import io.llmc4j.engine.pipeline.ExpertRules.Uncalibrated;
import io.llmc4j.engine.pipeline.IgnoredLayers;
import io.llmc4j.engine.pipeline.LayerResult;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.pipeline.RunListener;
import io.llmc4j.engine.pipeline.SchemePlan;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.quant.RangeRule;
import io.llmc4j.engine.safetensors.SafetensorsFile;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.formats.hf.HfModel;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Which tokens calibrate an expert, what becomes of one that none reached, and that routers stay float. */
class ExpertRulesTest {

    private static final QuantScheme SCHEME = QuantScheme.integer(4, true, Granularity.perGroup(16));
    private static final Map<String, Object> SEQUENTIAL = Map.of("actorder", true, "static_groups", false, "percdamp", 0.01, "blocksize", 128,
            "true_sequential", true);

    private static RunConfig gptq(String variant, int tokens, ExpertRules rules) {
        int[] ids = Arrays.copyOf(FamilyModels.ids(variant)[0], tokens);
        return RunConfig.of("GPTQ", SEQUENTIAL, SchemePlan.of(SCHEME)).withQuantOut(true)
                .withCalibration(new CalibrationSet("ids", new int[][] {ids}, 1, tokens)).withExperts(rules);
    }

    private static Map<String, LayerResult> run(HfModel model, RunConfig config) {
        Map<String, LayerResult> results = new LinkedHashMap<>();
        new BlockFold(model, config, List.of(), new RunListener() {
            @Override
            public void layerDone(LayerResult layer) {
                results.put(layer.fullName(), layer);
            }
        }).run();
        return results;
    }

    private static Map<String, LayerResult> run(String variant, RunConfig config) {
        try (HfModel m = FamilyModels.open(variant)) {
            return run(m, config);
        }
    }

    private static ExpertRules rules(Uncalibrated u) {
        return new ExpertRules(u, false, false);
    }

    private static String note(LayerResult r) {
        return r.notes().stream().filter(n -> n.startsWith("seen") || n.startsWith("no calibration")).findFirst().orElse("");
    }

    @Test
    void everyExpertSaysHowManyTokensItSaw() {
        for (String variant : List.of("mixtral", "qwen2-moe", "deepseek-v2-lite", "deepseek-v3", "gpt-oss")) {
            Map<String, LayerResult> results = run(variant, gptq(variant, 24, ExpertRules.DEFAULT));
            try (HfModel m = FamilyModels.open(variant)) {
                for (int b = 0; b < m.spec().blocks(); b++) {
                    if (m.spec().layers().get(b).feedForward().experts().isEmpty()) {
                        continue;
                    }
                    int sum = 0;
                    for (Linear l : m.block(b).linears()) {
                        LayerResult r = results.get(m.blockPrefix(b) + "." + l.name());
                        assertEquals(l.expert() < 0, note(r).isEmpty(), r.fullName());
                        if (l.role() == Role.EXPERT_UP && note(r).startsWith("seen by ")) {
                            sum += Integer.parseInt(note(r).split(" ")[2]);
                        }
                    }
                    assertEquals(24 * m.spec().layers().get(b).feedForward().experts().get().perToken(), sum, variant);
                }
            }
        }
    }

    @Test
    void withoutTokensTheStoredWeightIsRoundedToNearest() {
        Map<String, LayerResult> results = run("qwen3-moe", gptq("qwen3-moe", 1, ExpertRules.DEFAULT));
        int without = 0;
        try (HfModel m = FamilyModels.open("qwen3-moe")) {
            for (Linear l : m.block(0).linears()) {
                LayerResult r = results.get("model.layers.0." + l.name());
                if (l.expert() >= 0 && note(r).startsWith("no calibration token reached it: rounded to nearest")) {
                    without++;
                    assertArrayEquals(Quantizer.of(SCHEME).fakeQuantize(l.weight()).data(), r.fake().data(), r.fullName());
                } else if (l.expert() >= 0) {
                    assertEquals("seen by 1 token", note(r));
                }
            }
        }
        assertEquals(3 * (8 - 3), without);
    }

    @Test
    void theStrictRuleNamesTheExperts() {
        BadInput e = assertThrows(BadInput.class, () -> run("qwen3-moe", gptq("qwen3-moe", 1, rules(Uncalibrated.ERROR))));
        assertTrue(e.getMessage().contains("5 of the 8 experts of model.layers.0"), e.getMessage());
        assertTrue(e.getMessage().contains("--calibrate-all-experts"), e.getMessage());
        run("qwen3-moe", gptq("qwen3-moe", 40, new ExpertRules(Uncalibrated.ERROR, true, false)));
    }

    /**
     * An expert that no token reached becomes what it would have become in the place of the one that stands in for it: the same model with the two
     * experts' weights exchanged gives, for the one that tokens reach, the same bits.
     */
    @Test
    void theNearestExpertsTokensCalibrate() {
        Map<String, LayerResult> results = run("qwen3-moe", gptq("qwen3-moe", 1, rules(Uncalibrated.NEAREST)));
        TreeSet<Integer> checked = new TreeSet<>();
        for (int e = 0; e < 8; e++) {
            LayerResult up = results.get("model.layers.0.mlp.experts." + e + ".up_proj");
            if (!note(up).startsWith("no calibration token reached it: calibrated on the 1 tokens of expert ")) {
                continue;
            }
            int other = Integer.parseInt(note(up).replaceAll(".* of expert (\\d+),.*", "$1"));
            assertEquals("seen by 1 token", note(results.get("model.layers.0.mlp.experts." + other + ".up_proj")));
            Map<String, Tensor> tensors = new LinkedHashMap<>();
            try (SafetensorsFile f = FamilyModels.weights("qwen3-moe")) {
                String a = "model.layers.0.mlp.experts." + e + ".";
                String b = "model.layers.0.mlp.experts." + other + ".";
                for (String n : f.names()) {
                    tensors.put(n, f.tensor(n.startsWith(a) ? b + n.substring(a.length()) : n.startsWith(b) ? a + n.substring(b.length()) : n));
                }
                try (HfModel m = HfModel.of(FamilyModels.config("qwen3-moe"), FamilyModels.store(tensors))) {
                    Map<String, LayerResult> exchanged = run(m, gptq("qwen3-moe", 1, ExpertRules.DEFAULT));
                    for (String part : List.of("gate_proj", "up_proj", "down_proj")) {
                        assertArrayEquals(exchanged.get(b + part).fake().data(), results.get(a + part).fake().data(), a + part);
                        assertFalse(Arrays.equals(Quantizer.of(SCHEME).fakeQuantize(f(m, b + part)).data(), results.get(a + part).fake().data()), a + part);
                    }
                }
            }
            checked.add(e);
            if (checked.size() == 2) {
                break;
            }
        }
        assertEquals(2, checked.size());
    }

    private static io.llmc4j.engine.tensor.Matrix f(HfModel m, String fullName) {
        return m.block(0).linear(fullName.substring("model.layers.0.".length())).weight();
    }

    @Test
    void allExpertsMaySeeAllTokens() {
        Map<String, LayerResult> results = run("mixtral", gptq("mixtral", 24, new ExpertRules(Uncalibrated.RTN, true, false)));
        LayerResult r = results.get("model.layers.1.block_sparse_moe.experts.2.w1");
        assertTrue(note(r).matches("seen by all 24 tokens, \\d+ of them its own"), note(r));
        LayerResult routed = run("mixtral", gptq("mixtral", 24, ExpertRules.DEFAULT)).get("model.layers.0.block_sparse_moe.experts.2.w1");
        assertFalse(Arrays.equals(routed.fake().data(), results.get(routed.fullName()).fake().data()));
    }

    /** Every method that looks at data keeps each rule, or refuses it in a sentence that names it. */
    @ParameterizedTest
    @ValueSource(strings = {"AdaDim", "Awq", "GPTQ", "OWQ", "OmniQuant", "NormTweaking", "OsPlus", "QUIK", "SmoothQuant", "SpQR", "TesseraQ", "Wanda"})
    void everyMethodKeepsOrRefuses(String method) {
        String kept = outcome(method, new ExpertRules(Uncalibrated.RTN, false, false));
        assertTrue(kept.contains("no calibration token reached it") && kept.contains("seen by 2 tokens"), kept);
        assertTrue(outcome(method, rules(Uncalibrated.ERROR)).contains("of the 8 experts of model.layers.0"), method);
        String nearest = outcome(method, rules(Uncalibrated.NEAREST));
        String all = outcome(method, new ExpertRules(Uncalibrated.RTN, true, false));
        if (List.of("OmniQuant", "TesseraQ", "NormTweaking").contains(method)) {
            unreachedAreRoundedToNearest(method);
        }
        boolean learns = List.of("OmniQuant", "NormTweaking", "TesseraQ").contains(method);
        assertTrue(nearest.contains(learns || method.equals("QUIK") ? "--uncalibrated-experts nearest) cannot be kept" : "whose router row is nearest"), nearest);
        assertTrue(all.contains(learns ? "--calibrate-all-experts) cannot be kept" : "seen by all 2 tokens"), all);
    }

    /** What a method that learns starts from is not what it leaves where it learnt nothing. */
    private static void unreachedAreRoundedToNearest(String method) {
        int without = 0;
        try (HfModel m = FamilyModels.open("qwen3-moe")) {
            Map<String, LayerResult> results = run(m, config(method, ExpertRules.DEFAULT));
            for (Linear l : m.block(0).linears()) {
                LayerResult r = results.get("model.layers.0." + l.name());
                if (note(r).startsWith("no calibration token reached it: rounded to nearest")) {
                    without++;
                    assertArrayEquals(Quantizer.of(SCHEME).fakeQuantize(l.weight()).data(), r.fake().data(), r.fullName());
                }
            }
        }
        assertTrue(without > 0);
    }

    /** Notes of a run on two tokens, or what it says instead. */
    private static String outcome(String method, ExpertRules rules) {
        try {
            StringBuilder notes = new StringBuilder();
            run("qwen3-moe", config(method, rules)).values().forEach(r -> notes.append(r.fullName()).append(r.notes()).append('\n'));
            return notes.toString();
        } catch (BadInput e) {
            return e.getMessage();
        }
    }

    private static RunConfig config(String method, ExpertRules rules) {
        int[] ids = Arrays.copyOf(FamilyModels.ids("qwen3-moe")[0], 2);
        Map<String, Object> special = switch (method) {
            case "OWQ" -> Map.of("n_outs", Collections.nCopies(29, 2), "actorder", true, "static_groups", true, "true_sequential", true);
            case "OmniQuant" -> Map.of("let", false, "lwc", true, "epochs", 1);
            case "TesseraQ" -> Map.of("iterations", 2, "thresholds", List.of(0.5, 0.1), "weight_clip", false);
            case "QUIK" -> Map.of("fp_features", 16);
            case "OsPlus", "SpQR", "GPTQ" -> Map.of("true_sequential", true);
            default -> Map.of();
        };
        SchemePlan schemes = switch (method) {
            case "OWQ" -> SchemePlan.of(QuantScheme.integer(4, true, Granularity.PER_CHANNEL));
            case "SmoothQuant", "OsPlus" -> SchemePlan.of(QuantScheme.integer(8, true, Granularity.PER_CHANNEL), QuantScheme.integer(8, true, Granularity.PER_TOKEN));
            case "SpQR" -> SchemePlan.of(QuantScheme.integer(4, false, Granularity.perGroup(16)).withRoundZeroPoint(false));
            case "Wanda" -> new SchemePlan(Optional.empty(), Optional.empty(), List.of(), IgnoredLayers.NONE);
            case "OmniQuant", "TesseraQ" -> SchemePlan.of(SCHEME.withRange(new RangeRule.Learnable()).withGradients(true, false));
            default -> SchemePlan.of(SCHEME);
        };
        return RunConfig.of(method, special, schemes).withQuantOut(true).withCalibration(new CalibrationSet("ids", new int[][] {ids}, 1, 2)).withExperts(rules);
    }

    /** Hessians of one expert at a time, or of all: the same bits. */
    @Test
    void memoryDoesNotChangeABit() {
        RunConfig config = gptq("qwen2-moe", 24, ExpertRules.DEFAULT);
        Map<String, LayerResult> all = run("qwen2-moe", config);
        Map<String, LayerResult> few = run("qwen2-moe", config.withMemory(new RunConfig.Memory(4, 8192)));
        all.forEach((n, r) -> {
            assertArrayEquals(r.fake().data(), few.get(n).fake().data(), n);
            assertEquals(r.notes(), few.get(n).notes());
        });
    }

    @Test
    void routersStayFloatUnlessAskedOrInLlmc() {
        RunConfig rtn = RunConfig.of("RTN", Map.of(), SchemePlan.of(SCHEME));
        for (String variant : List.of("mixtral", "qwen2-moe", "deepseek-v3", "gpt-oss")) {
            assertEquals(0, quantizedRouters(variant, rtn), variant);
            assertTrue(quantizedRouters(variant, rtn.withExperts(new ExpertRules(Uncalibrated.RTN, false, true))) > 0, variant);
        }
        assertEquals(2, quantizedRouters("mixtral", rtn.withCompat(true)));
        assertEquals(0, quantizedRouters("deepseek-v3", rtn.withCompat(true)));
    }

    private static long quantizedRouters(String variant, RunConfig config) {
        return run(variant, config).values().stream().filter(r -> r.layer().role().isRouter() && r.weightScheme().isPresent()).count();
    }
}
