package io.llmc4j.golden;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.evaluate.Position;
import io.llmc4j.engine.pipeline.MethodStep;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The methods that neither learn nor are AWQ, GPTQ or their kin: rounding in other ways, keeping some of the weights, removing others. */
@ExtendWith(GoldenTable.class)
class KeepingMethodsGoldenTest {

    @ParameterizedTest
    @CsvSource({"llama_g,hqq_w4_g", "llama_g,osplus_w4a4", "opt_g,osplus_w4a4", "llama_g,spqr_w3", "llama_g,spqr_w4", "llama_g,adadim_w4a8", "llama_g,llmint8"})
    void quantization(String model, String name) {
        GoldenMethods.hold(model, name, GoldenMethods.Closeness.EXACT);
    }

    /**
     * With 8-bit activations and {@code true_sequential}, a rounding tie in the first attention moves one channel's maximum by 3e-4, and with it what
     * later searches see: they are held by perplexity only.
     */
    @Test
    void osPlusW8A8() {
        GoldenMethods.Outcome o = GoldenMethods.hold("llama_g", "osplus_w8a8", GoldenMethods.Closeness.EXACT,
                what -> what.equals("scale b0 call 0") || what.startsWith("fq/b0.self_attn"));
        assertArrayEquals(o.golden().floats("scale/b0.call1"), o.scales().get(1), 1e-3f);
    }

    /** Channels of the output projection's inputs tie exactly, and LLMC's sort orders such pairs by chance: {@link ProvenTiesTest#quikChannelsWithTheSameMaximum()}. */
    @Test
    void quik() {
        GoldenMethods.hold("llama_g", "quik_w4a4", GoldenMethods.Closeness.EXACT, what -> !what.contains("o_proj"));
    }

    /** The row that is another one: {@link ProvenTiesTest#dgqOneActivationHalfWay()}. */
    @ParameterizedTest
    @ValueSource(strings = {"llama_g", "opt_g"})
    void dgq(String model) {
        GoldenMethods.hold(model, "dgq_w4a8", GoldenMethods.Closeness.EXACT, what -> !(model + what).equals("llama_gfq/b0.mlp.down_proj.weight"));
    }

    /** LLMC fails on OPT here; ours keeps the loud channels, so it is better than rounding them. */
    @Test
    void casesWhereLlmcFails() {
        double plain = GoldenMethods.run("opt_g", "quik_w4a4", c -> c.withMethods(List.of(new MethodStep("RTN", Map.of())))).perplexity(Position.FAKE_QUANT);
        GoldenMethods.Outcome kept = GoldenMethods.run("opt_g", "quik_w4a4", c -> c);
        double quik = kept.perplexity(Position.FAKE_QUANT);
        double unchanged = kept.perplexity(Position.TRANSFORMED);
        assertTrue(quik < plain && unchanged < quik, unchanged + " " + quik + " " + plain);
        double w8a8 = GoldenMethods.run("opt_g", "llmint8", c -> c.withMethods(List.of(new MethodStep("RTN", Map.of())))).perplexity(Position.FAKE_QUANT);
        double split = GoldenMethods.run("opt_g", "llmint8", c -> c).perplexity(Position.FAKE_QUANT);
        GoldenTable.alone("opt_g", "quik_w4a4", quik, "LLMC fails");
        GoldenTable.alone("opt_g", "llmint8", split, "LLMC fails");
        assertTrue(Math.abs(split - unchanged) < Math.abs(w8a8 - unchanged), unchanged + " " + split + " " + w8a8);
    }

    @Test
    void shortGpt() {
        GoldenMethods.Outcome o = GoldenMethods.hold("llama_g", "shortgpt1", GoldenMethods.Closeness.EXACT);
        double[] theirs = o.golden().doubles("importances");
        int least = theirs[0] <= theirs[1] ? 0 : 1;
        assertEquals(List.of(least), o.summary().droppedBlocks());
        double ours = Double.parseDouble(o.summary().notes().getFirst().replaceFirst(".*influence ", ""));
        assertEquals(theirs[least], ours, 1e-5 * theirs[least]);
    }

    @ParameterizedTest
    @CsvSource({"llama_g,magnitude50", "llama_g,wanda50", "opt_g,wanda50"})
    void pruning(String model, String name) {
        GoldenMethods.hold(model, name, GoldenMethods.Closeness.EXACT);
    }
}
