package io.llmc4j.golden;

import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@ExtendWith(GoldenTable.class)
class SmoothQuantGoldenTest {

    @ParameterizedTest
    @CsvSource({"llama_g", "opt_g"})
    void perplexityScalesAndWeights(String model) {
        GoldenMethods.hold(model, "smoothquant_w8a8", GoldenMethods.Closeness.EXACT);
    }
}
