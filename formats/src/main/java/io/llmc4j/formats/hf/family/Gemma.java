package io.llmc4j.formats.hf.family;

import io.llmc4j.formats.hf.Family;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.ModelShape;
import java.util.List;

/** Gemma 1. */
public final class Gemma implements Family {

    @Override
    public String name() {
        return "gemma";
    }

    @Override
    public List<String> architectures() {
        return List.of("GemmaForCausalLM");
    }

    @Override
    public String quirks() {
        return "norms store weight - 1; scaled embedding; tied head";
    }

    @Override
    public ModelShape shape(HfConfig c) {
        return GemmaShaped.first(c, name());
    }
}
