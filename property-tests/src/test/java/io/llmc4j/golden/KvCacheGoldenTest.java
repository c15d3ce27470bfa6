package io.llmc4j.golden;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import io.llmc4j.engine.evaluate.Position;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Runs with rounded keys and values: perplexity of whole windows, and of tokens fed one by one. */
@ExtendWith(GoldenTable.class)
class KvCacheGoldenTest {

    @ParameterizedTest
    @CsvSource({"kv_naive4", "kv_naive8", "kv_naive_decode", "kv_kivi_decode", "kv_static_decode_fixed"})
    void asLlmc(String name) {
        GoldenMethods.hold("llama_g", name, GoldenMethods.Closeness.EXACT);
    }

    /** LLMC fails on these settings (it reads a key that is not there, and takes minmax for a static rule); they mean what the repaired ones say. */
    @Test
    void staticCacheWithoutAStaticRule() {
        double ours = GoldenMethods.run("llama_g", "kv_static_decode", c -> c).perplexity(Position.FAKE_QUANT);
        double repaired = GoldenMethods.run("llama_g", "kv_static_decode_fixed", c -> c).perplexity(Position.FAKE_QUANT);
        assertEquals(repaired, ours);
        GoldenTable.alone("llama_g", "kv_static_decode", ours, "LLMC fails");
    }

    /** fake_quant_wo_kv means what it says, except under compat (ODD-18). */
    @Test
    void withoutTheCache() {
        GoldenMethods.Outcome ours = GoldenMethods.run("llama_g", "kv_naive_decode", c -> c.withCompat(false));
        assertNotEquals(ours.perplexity(Position.FAKE_QUANT), ours.perplexity(Position.FAKE_QUANT_WITHOUT_KV));
        GoldenMethods.Outcome llmc = GoldenMethods.run("llama_g", "kv_naive_decode", c -> c);
        assertEquals(llmc.perplexity(Position.FAKE_QUANT), llmc.perplexity(Position.FAKE_QUANT_WITHOUT_KV));
    }
}
