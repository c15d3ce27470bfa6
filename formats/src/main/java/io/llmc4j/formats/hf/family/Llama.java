package io.llmc4j.formats.hf.family;

import io.llmc4j.engine.model.AttentionSpec.QkNorm;
import io.llmc4j.formats.hf.Family;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.ModelShape;
import java.util.List;

/** Llama 1, 2 and 3.x, and SmolLM, which is one with a tied head. */
public final class Llama implements Family {

    @Override
    public String name() {
        return "llama";
    }

    @Override
    public List<String> architectures() {
        return List.of("LlamaForCausalLM", "LLaMAForCausalLM");
    }

    @Override
    public String quirks() {
        return "every rope scaling; optional biases; SmolLM is one of these";
    }

    @Override
    public ModelShape shape(HfConfig c) {
        return LlamaShaped.shape(c, name(), false, QkNorm.NONE, i -> 0);
    }
}
