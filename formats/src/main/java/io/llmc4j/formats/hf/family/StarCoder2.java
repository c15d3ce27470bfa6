package io.llmc4j.formats.hf.family;

import io.llmc4j.engine.model.AttentionSpec.QkNorm;
import io.llmc4j.engine.model.AttentionSpec.Rotary;
import io.llmc4j.engine.model.LayerSpec;
import io.llmc4j.engine.model.NormSlot;
import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.model.Subset;
import io.llmc4j.formats.hf.Activations;
import io.llmc4j.formats.hf.BlockBuilder;
import io.llmc4j.formats.hf.BlockLayout;
import io.llmc4j.formats.hf.EndsLayout;
import io.llmc4j.formats.hf.Family;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.ModelShape;
import io.llmc4j.formats.hf.Rope;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** StarCoder 2. */
public final class StarCoder2 implements Family {

    @Override
    public String name() {
        return "starcoder2";
    }

    @Override
    public List<String> architectures() {
        return List.of("Starcoder2ForCausalLM");
    }

    @Override
    public String quirks() {
        return "LayerNorm; biases; plain MLP; window";
    }

    @Override
    public ModelShape shape(HfConfig c) {
        Dims d = Dims.of(c);
        int ffn = c.integer("intermediate_size");
        double eps = c.numberOr(1e-5, "norm_epsilon");
        int window = Parts.window(c);
        c.text("norm_type").filter(t -> !t.equals("layer_norm")).ifPresent(t -> {
            throw c.wrong("norm_type", t, "layer_norm");
        });
        c.text("mlp_type").filter(t -> !t.equals("default")).ifPresent(t -> {
            throw c.wrong("mlp_type", t, "default");
        });
        c.harmless("use_bias");
        Rotary rotary = new Rotary(d.headDim(), false, Rope.of(c).scaling(d.headDim(), 10000, d.context()));
        LayerSpec layer = Parts.sequential(d.attention(rotary, window, QkNorm.NONE),
                Parts.dense(ffn, Activations.read(c, "gelu_pytorch_tanh", "hidden_act"), false));
        List<BlockLayout> blocks = new ArrayList<>();
        for (int i = 0; i < d.layers(); i++) {
            BlockBuilder b = new BlockBuilder(i, "model.layers." + i);
            Parts.llamaAttention(b, d);
            b.linear("mlp.c_fc", Role.UP, ffn, d.hidden()).linear("mlp.c_proj", Role.DOWN, d.hidden(), ffn);
            b.layerNorm(NormSlot.ATTENTION_INPUT, "input_layernorm", d.hidden(), eps)
                    .layerNorm(NormSlot.MLP_INPUT, "post_attention_layernorm", d.hidden(), eps);
            Parts.llamaAttentionSubsets(b, "input_layernorm");
            b.afterNorm("post_attention_layernorm", Subset.Inspect.LINEAR, true, "mlp.c_fc").alone(Subset.Inspect.LINEAR, true, "mlp.c_proj");
            blocks.add(b.build());
        }
        EndsLayout ends = EndsLayout.of("model.embed_tokens.weight", Parts.layerNorm("model.norm", d.hidden(), eps), "lm_head.weight",
                Parts.tied(c, true));
        return new ModelShape(Parts.spec(name(), d, Collections.nCopies(d.layers(), layer)), ends, blocks, Parts.MODEL_ROOTS, List.of());
    }
}
