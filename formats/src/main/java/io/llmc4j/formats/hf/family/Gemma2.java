package io.llmc4j.formats.hf.family;

import io.llmc4j.formats.hf.Family;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.ModelShape;
import java.util.List;

/** Gemma 2. */
public final class Gemma2 implements Family {

    @Override
    public String name() {
        return "gemma2";
    }

    @Override
    public List<String> architectures() {
        return List.of("Gemma2ForCausalLM");
    }

    @Override
    public String quirks() {
        return "norms on both branches; soft caps; windows on even layers";
    }

    @Override
    public String without() {
        return "QuaRot, SpinQuant (norms with weights on the branches)";
    }

    @Override
    public ModelShape shape(HfConfig c) {
        return GemmaShaped.second(c, name());
    }
}
