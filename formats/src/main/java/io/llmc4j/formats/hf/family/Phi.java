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

/** Phi 1, 1.5 and 2. */
public final class Phi implements Family {

    @Override
    public String name() {
        return "phi";
    }

    @Override
    public List<String> architectures() {
        return List.of("PhiForCausalLM");
    }

    @Override
    public String quirks() {
        return "parallel block after one LayerNorm; partial rotary; head with bias";
    }

    @Override
    public ModelShape shape(HfConfig c) {
        Dims d = Dims.of(c);
        int ffn = c.integer("intermediate_size");
        double eps = c.numberOr(1e-5, "layer_norm_eps");
        boolean qkNorm = c.flagOr(false, "qk_layernorm");
        Rope rope = Rope.of(c);
        int dims = (int) (d.headDim() * rope.partial(0.5, "partial_rotary_factor"));
        Rotary rotary = new Rotary(dims, false, rope.scaling(dims, 10000, d.context()));
        LayerSpec layer = Parts.parallel(d.attention(rotary, 0, qkNorm ? QkNorm.SHARED_BY_HEADS : QkNorm.NONE),
                Parts.dense(ffn, Activations.read(c, "gelu_new", "hidden_act"), false));
        List<BlockLayout> blocks = new ArrayList<>();
        for (int i = 0; i < d.layers(); i++) {
            BlockBuilder b = new BlockBuilder(i, "model.layers." + i);
            b.linear("self_attn.q_proj", Role.Q, d.queries(), d.hidden()).linear("self_attn.k_proj", Role.K, d.keys(), d.hidden())
                    .linear("self_attn.v_proj", Role.V, d.keys(), d.hidden()).linear("self_attn.dense", Role.O, d.hidden(), d.queries());
            b.linear("mlp.fc1", Role.UP, ffn, d.hidden()).linear("mlp.fc2", Role.DOWN, d.hidden(), ffn);
            b.layerNorm(NormSlot.ATTENTION_INPUT, "input_layernorm", d.hidden(), eps);
            if (qkNorm) {
                b.layerNorm(NormSlot.Q, "self_attn.q_layernorm", d.headDim(), eps).layerNorm(NormSlot.K, "self_attn.k_layernorm", d.headDim(), eps);
            }
            b.buffer("self_attn.rotary_emb.inv_freq");
            b.afterNorm("input_layernorm", Subset.Inspect.BLOCK, false, "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "mlp.fc1");
            b.afterLinear("self_attn.v_proj", false, "self_attn.dense");
            b.alone(Subset.Inspect.MLP, true, "mlp.fc2");
            blocks.add(b.build());
        }
        EndsLayout ends = EndsLayout.of("model.embed_tokens.weight", Parts.layerNorm("model.final_layernorm", d.hidden(), eps), "lm_head.weight",
                Parts.tied(c, false))
                .withHeadBias("lm_head.bias");
        return new ModelShape(Parts.spec(name(), d, Collections.nCopies(d.layers(), layer)), ends, blocks, Parts.MODEL_ROOTS, List.of());
    }
}
