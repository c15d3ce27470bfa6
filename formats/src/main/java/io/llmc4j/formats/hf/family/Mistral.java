package io.llmc4j.formats.hf.family;

import io.llmc4j.engine.model.AttentionSpec.QkNorm;
import io.llmc4j.formats.hf.Family;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.ModelShape;
import java.util.List;

/** Llama with a sliding window in early versions, and heads that need not fill the hidden width (Nemo). */
public final class Mistral implements Family {

    @Override
    public String name() {
        return "mistral";
    }

    @Override
    public List<String> architectures() {
        return List.of("MistralForCausalLM");
    }

    @Override
    public String quirks() {
        return "sliding window; head_dim of its own";
    }

    @Override
    public ModelShape shape(HfConfig c) {
        int window = Parts.window(c);
        return LlamaShaped.shape(c, name(), false, QkNorm.NONE, i -> window);
    }
}
