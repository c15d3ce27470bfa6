package io.llmc4j.formats.hf.family;

import io.llmc4j.engine.model.AttentionSpec.QkNorm;
import io.llmc4j.formats.hf.Family;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.ModelShape;
import java.util.List;

/** Qwen 1.5, 2 and 2.5: Llama with biases on q, k and v. */
public final class Qwen2 implements Family {

    @Override
    public String name() {
        return "qwen2";
    }

    @Override
    public List<String> architectures() {
        return List.of("Qwen2ForCausalLM");
    }

    @Override
    public String quirks() {
        return "biases on q, k, v; windows may be switched on";
    }

    @Override
    public ModelShape shape(HfConfig c) {
        return LlamaShaped.shape(c, name(), false, QkNorm.NONE, LlamaShaped.switchedWindow(c));
    }
}
