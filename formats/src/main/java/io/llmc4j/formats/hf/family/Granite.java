package io.llmc4j.formats.hf.family;

import io.llmc4j.engine.model.AttentionSpec.QkNorm;
import io.llmc4j.engine.model.LayerSpec;
import io.llmc4j.formats.hf.Family;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.ModelShape;
import java.util.List;

/** Granite: Llama with four scalar multipliers. */
public final class Granite implements Family {

    @Override
    public String name() {
        return "granite";
    }

    @Override
    public List<String> architectures() {
        return List.of("GraniteForCausalLM");
    }

    @Override
    public String quirks() {
        return "embedding, residual, attention and logit multipliers";
    }

    @Override
    public ModelShape shape(HfConfig c) {
        ModelShape s = LlamaShaped.shape(c, name(), false, QkNorm.NONE, i -> 0);
        float attention = (float) c.numberOr(1, "attention_multiplier");
        float residual = (float) c.numberOr(1, "residual_multiplier");
        List<LayerSpec> layers = s.spec().layers().stream().map(l -> new LayerSpec(Parts.withScale(l.attention(), attention), l.feedForward(), false,
                residual)).toList();
        return Parts.scaled(s, layers, (float) c.numberOr(1, "embedding_multiplier"), (float) (1 / c.numberOr(1, "logits_scaling")));
    }
}
