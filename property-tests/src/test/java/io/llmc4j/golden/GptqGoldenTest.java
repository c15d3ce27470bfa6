package io.llmc4j.golden;


import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** GPTQ and OWQ, subset after subset on quantized inputs. */
class GptqGoldenTest {

    @ParameterizedTest
    @CsvSource({"llama_g,gptq_w4_g_act", "llama_g,gptq_w4_g_act_static", "llama_g,gptq_w4_g_noact", "llama_g,gptq_w4_g_sym", "llama_g,gptq_w4_pc",
        "llama_g,gptq_w3_g_act", "llama_g,owq_w3_pc", "opt_g,gptq_w4_g_act"})
    void perplexityAndWeights(String model, String name) {
        GoldenMethods.hold(model, name, GoldenMethods.Closeness.EXACT);
    }
}
