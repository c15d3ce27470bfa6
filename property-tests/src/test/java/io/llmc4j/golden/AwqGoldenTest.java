package io.llmc4j.golden;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.evaluate.Position;
import io.llmc4j.engine.pipeline.MethodStep;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.pipeline.SchemePlan;
import io.llmc4j.engine.quant.RangeRule;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** AWQ: both formulas, both clip versions, grouped values, mixed bits, excluded layers, float formats, rounded activations. */
@ExtendWith(GoldenTable.class)
class AwqGoldenTest {

    @ParameterizedTest
    @CsvSource({"awq_w4_g", "awq_w4_g_noclip", "awq_w4_g_v1", "awq_w4_g_gqa", "awq_w2_g_asym", "awq_w2_pc_asym", "awq_w4_pc_clipv2", "awq_w8a8",
        "fp_awq_we2m1", "mix_awq_w_a"})
    void perplexityScalesAndWeights(String name) {
        GoldenMethods.hold("llama_g", name, GoldenMethods.Closeness.EXACT);
    }

    /** The tensor that is left out: {@link ProvenTiesTest#awqZeroPointsHalfWay()}. */
    @Test
    void zeroPointsHalfWayBetween() {
        GoldenMethods.hold("llama_g", "awq_mixbits", GoldenMethods.Closeness.EXACT, what -> !what.equals("fq/b0.self_attn.v_proj.weight"));
    }

    /**
     * Clip factors instead of clamped weights, for groups: LLMC fails there (ODD-35). Both kinds of clipping search the same ranges, so the models come close.
     */
    @Test
    void clipFactorsOfGroups() {
        GoldenMethods.Outcome factors = GoldenMethods.run("llama_g", "awq_w4_clipv2", c -> c);
        GoldenMethods.Outcome clamped = GoldenMethods.run("llama_g", "awq_w4_clipv2", c -> changed(c, "clip_version", "v1", new RangeRule.MinMax()));
        GoldenMethods.Outcome none = GoldenMethods.run("llama_g", "awq_w4_clipv2", c -> changed(c, "weight_clip", false, new RangeRule.MinMax()));
        double v2 = factors.perplexity(Position.FAKE_QUANT);
        GoldenTable.alone("llama_g", "awq_w4_clipv2", v2, "LLMC fails");
        assertEquals(clamped.perplexity(Position.FAKE_QUANT), v2, 5e-4 * v2);
        assertTrue(Math.abs(none.perplexity(Position.FAKE_QUANT) - v2) > 5e-4 * v2, "the factors change something");
    }

    private static RunConfig changed(RunConfig c, String key, Object value, RangeRule range) {
        Map<String, Object> special = new HashMap<>(c.methods().getFirst().special());
        special.put(key, value);
        return c.withMethods(List.of(new MethodStep("Awq", special))).withSchemes(SchemePlan.of(c.schemes().weight().orElseThrow().withRange(range)));
    }

    /** mix_bits holds outside compat, where LLMC ignores it (ODD-25): the down projections have 8 bits, the rest 4. */
    @Test
    void mixedBitsAreHonoured() {
        GoldenMethods.Outcome ours = GoldenMethods.run("llama_g", "awq_mixbits", c -> c.withCompat(false));
        ours.layers().forEach((name, l) -> assertEquals(name.endsWith("down_proj") ? 8 : 4, l.weightScheme().orElseThrow().bits(), name));
        GoldenMethods.Outcome theirs = GoldenMethods.run("llama_g", "awq_mixbits", c -> c);
        theirs.layers().forEach((name, l) -> assertEquals(4, l.weightScheme().orElseThrow().bits(), name));
    }
}
