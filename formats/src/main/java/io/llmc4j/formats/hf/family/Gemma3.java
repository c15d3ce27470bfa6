package io.llmc4j.formats.hf.family;

import io.llmc4j.formats.hf.Family;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.ModelShape;
import java.util.List;

/** Gemma 3; of the models with vision, the language part. */
public final class Gemma3 implements Family {

    @Override
    public String name() {
        return "gemma3";
    }

    @Override
    public List<String> architectures() {
        return List.of("Gemma3ForCausalLM", "Gemma3ForConditionalGeneration");
    }

    @Override
    public String quirks() {
        return "q/k norms; five local layers to one global, each kind with its own rotary base";
    }

    @Override
    public String without() {
        return "QuaRot, SpinQuant (norms with weights on the branches)";
    }

    @Override
    public ModelShape shape(HfConfig c) {
        c.harmless("vision_config", "boi_token_index", "eoi_token_index", "image_token_index", "mm_tokens_per_image");
        return GemmaShaped.third(c.has("text_config") ? c.nested("text_config").orElseThrow() : c, c, name());
    }
}
