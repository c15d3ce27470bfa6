package io.llmc4j.golden;

import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Methods that learn, held to LLMC's perplexities. */
@ExtendWith(GoldenTable.class)
class LearningGoldenTest {

    @ParameterizedTest
    @CsvSource({"llama_g, omniq_ep0_w4a4", "llama_g, omniq_w4_g", "llama_g, omniq_w2_g", "llama_g, omniq_w4a4", "llama_g, ntweak_w8a8", "opt_g, ntweak_w8a8",
        "llama_g, tesseraq_w4_g"})
    void perplexity(String model, String name) {
        GoldenMethods.hold(model, name, GoldenMethods.Closeness.LEARNING);
    }
}
