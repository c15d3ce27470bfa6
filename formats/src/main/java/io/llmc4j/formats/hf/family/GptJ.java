package io.llmc4j.formats.hf.family;

import io.llmc4j.engine.model.AttentionSpec.QkNorm;
import io.llmc4j.engine.model.AttentionSpec.Rotary;
import io.llmc4j.engine.model.LayerSpec;
import io.llmc4j.engine.model.NormSlot;
import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.model.RopeScaling;
import io.llmc4j.engine.model.Subset;
import io.llmc4j.formats.hf.Activations;
import io.llmc4j.formats.hf.BlockBuilder;
import io.llmc4j.formats.hf.BlockLayout;
import io.llmc4j.formats.hf.EndsLayout;
import io.llmc4j.formats.hf.Family;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.ModelShape;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** GPT-J. */
public final class GptJ implements Family {

    @Override
    public String name() {
        return "gptj";
    }

    @Override
    public List<String> architectures() {
        return List.of("GPTJForCausalLM");
    }

    @Override
    public String quirks() {
        return "parallel block after one LayerNorm; interleaved partial rotary; head with bias";
    }

    @Override
    public ModelShape shape(HfConfig c) {
        Dims d = Dims.ofGpt(c);
        int ffn = c.integerOr(4 * d.hidden(), "n_inner");
        double eps = c.numberOr(1e-5, "layer_norm_epsilon");
        c.harmless("scale_attn_weights", "rotary");
        Rotary rotary = new Rotary(c.integerOr(64, "rotary_dim"), true, new RopeScaling.Plain(10000));
        LayerSpec layer = Parts.parallel(d.attention(rotary, 0, QkNorm.NONE),
                Parts.dense(ffn, Activations.read(c, "gelu_new", "activation_function"), false));
        List<BlockLayout> blocks = new ArrayList<>();
        for (int i = 0; i < d.layers(); i++) {
            BlockBuilder b = new BlockBuilder(i, "transformer.h." + i);
            b.linear("attn.q_proj", Role.Q, d.hidden(), d.hidden()).linear("attn.k_proj", Role.K, d.hidden(), d.hidden())
                    .linear("attn.v_proj", Role.V, d.hidden(), d.hidden()).linear("attn.out_proj", Role.O, d.hidden(), d.hidden());
            b.linear("mlp.fc_in", Role.UP, ffn, d.hidden()).linear("mlp.fc_out", Role.DOWN, d.hidden(), ffn);
            b.layerNorm(NormSlot.ATTENTION_INPUT, "ln_1", d.hidden(), eps);
            b.buffer("attn.bias", "attn.masked_bias", "attn.embed_positions");
            b.afterNorm("ln_1", Subset.Inspect.BLOCK, false, "attn.q_proj", "attn.k_proj", "attn.v_proj", "mlp.fc_in");
            b.afterLinear("attn.v_proj", false, "attn.out_proj");
            b.alone(Subset.Inspect.LINEAR, true, "mlp.fc_out");
            blocks.add(b.build());
        }
        EndsLayout ends = EndsLayout.of("transformer.wte.weight", Parts.layerNorm("transformer.ln_f", d.hidden(), eps), "lm_head.weight",
                Parts.tied(c, false))
                .withHeadBias("lm_head.bias");
        return new ModelShape(Parts.spec(name(), d, Collections.nCopies(d.layers(), layer)), ends, blocks, List.of("transformer.", ""), List.of());
    }
}
