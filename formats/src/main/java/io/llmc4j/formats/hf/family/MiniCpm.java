package io.llmc4j.formats.hf.family;

import io.llmc4j.engine.model.AttentionSpec.QkNorm;
import io.llmc4j.engine.model.LayerSpec;
import io.llmc4j.formats.hf.Family;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.ModelShape;
import java.util.List;

/** MiniCPM 1 and 2: Llama whose embedding, branches and logits are scaled by what the config says about its width and depth. */
public final class MiniCpm implements Family {

    @Override
    public String name() {
        return "minicpm";
    }

    @Override
    public List<String> architectures() {
        return List.of("MiniCPMForCausalLM");
    }

    @Override
    public String quirks() {
        return "embedding, residual and logit multipliers";
    }

    @Override
    public ModelShape shape(HfConfig c) {
        ModelShape s = LlamaShaped.shape(c, name(), true, QkNorm.NONE, i -> 0);
        float residual = (float) (c.numberOr(1, "scale_depth") / Math.sqrt(s.spec().blocks()));
        float logits = (float) (c.numberOr(s.spec().hiddenSize(), "dim_model_base") / s.spec().hiddenSize());
        List<LayerSpec> layers = s.spec().layers().stream().map(l -> new LayerSpec(l.attention(), l.feedForward(), false, residual)).toList();
        return Parts.scaled(s, layers, (float) c.numberOr(1, "scale_emb"), logits);
    }
}
