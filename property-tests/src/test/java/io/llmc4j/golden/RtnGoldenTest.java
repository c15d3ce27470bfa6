package io.llmc4j.golden;

import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Round to nearest: every granularity, number format and activation rule of LLMC's runs. */
@ExtendWith(GoldenTable.class)
class RtnGoldenTest {

    @ParameterizedTest
    @CsvSource({"llama_g,rtn_w3_g", "llama_g,rtn_w3_g_mse", "llama_g,rtn_w4_g", "llama_g,rtn_w4_g_sym", "llama_g,rtn_w4_pc", "llama_g,rtn_w4_pt",
        "llama_g,rtn_w4a8", "llama_g,rtn_w8_g", "llama_g,rtn_w8a8", "llama_g,rtn_w8a8_static_hist", "llama_g,rtn_w8a8_static_minmax",
        "llama_g,rtn_wint4aint8", "llama_g,rtn_wint4afp8", "llama_g,rtn_block_fp8", "llama_g,fp_rtn_we2m1", "llama_g,fp_rtn_we2m1_qt",
        "llama_g,fp_rtn_we2m1ae2m1", "llama_g,fp_rtn_we4m3ae4m3", "llama_g,fp_rtn_we4m3ae4m3_qt", "llama_g,mix_rtn_w_a", "opt_g,rtn_w4_g"})
    void perplexityAndWeights(String model, String name) {
        GoldenMethods.hold(model, name, GoldenMethods.Closeness.EXACT);
    }
}
