package io.llmc4j.formats.hf.family;

import io.llmc4j.formats.hf.Family;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.ModelShape;
import java.util.List;

/** GLM-4 0414: GLM with norms on the outputs of both branches. */
public final class Glm4 implements Family {

    @Override
    public String name() {
        return "glm4";
    }

    @Override
    public List<String> architectures() {
        return List.of("Glm4ForCausalLM");
    }

    @Override
    public String quirks() {
        return "interleaved half rotary; fused gate, up; norms on both branches";
    }

    @Override
    public String without() {
        return "QuaRot, SpinQuant (norms with weights on the branches)";
    }

    @Override
    public ModelShape shape(HfConfig c) {
        return GlmShaped.shape(c, name(), true);
    }
}
