package io.llmc4j.formats.hf.family;

import io.llmc4j.formats.hf.Family;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.ModelShape;
import java.util.List;

/** GLM-4-9B in its Hugging Face form. */
public final class Glm implements Family {

    @Override
    public String name() {
        return "glm";
    }

    @Override
    public List<String> architectures() {
        return List.of("GlmForCausalLM");
    }

    @Override
    public String quirks() {
        return "interleaved half rotary; fused gate, up";
    }

    @Override
    public ModelShape shape(HfConfig c) {
        return GlmShaped.shape(c, name(), false);
    }
}
