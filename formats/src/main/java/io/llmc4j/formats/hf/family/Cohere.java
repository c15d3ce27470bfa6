package io.llmc4j.formats.hf.family;

import io.llmc4j.engine.model.AttentionSpec.QkNorm;
import io.llmc4j.engine.model.AttentionSpec.Rotary;
import io.llmc4j.engine.model.LayerSpec;
import io.llmc4j.engine.model.ModelSpec;
import io.llmc4j.engine.model.Norm;
import io.llmc4j.engine.model.NormSlot;
import io.llmc4j.engine.model.Subset;
import io.llmc4j.formats.hf.Activations;
import io.llmc4j.formats.hf.BlockBuilder;
import io.llmc4j.formats.hf.BlockLayout;
import io.llmc4j.formats.hf.EndsLayout;
import io.llmc4j.formats.hf.Family;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.ModelShape;
import io.llmc4j.formats.hf.NormLayout;
import io.llmc4j.formats.hf.Rope;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** Command-R (Cohere). */
public final class Cohere implements Family {

    @Override
    public String name() {
        return "cohere";
    }

    @Override
    public List<String> architectures() {
        return List.of("CohereForCausalLM");
    }

    @Override
    public String quirks() {
        return "parallel; LayerNorm without bias; interleaved rotary; logit scale";
    }

    @Override
    public ModelShape shape(HfConfig c) {
        Dims d = Dims.of(c);
        int intermediate = c.integer("intermediate_size");
        double eps = c.numberOr(1e-5, "layer_norm_eps");
        boolean qkNorm = c.flagOr(false, "use_qk_norm");
        c.harmless("attention_bias");
        Rotary rotary = new Rotary(d.headDim(), true, Rope.of(c).scaling(d.headDim(), 10000, d.context()));
        LayerSpec layer = Parts.parallel(d.attention(rotary, 0, qkNorm ? QkNorm.EACH_HEAD : QkNorm.NONE),
                Parts.dense(intermediate, Activations.read(c, "silu", "hidden_act"), true));
        List<BlockLayout> blocks = new ArrayList<>();
        for (int i = 0; i < d.layers(); i++) {
            BlockBuilder b = new BlockBuilder(i, "model.layers." + i);
            Parts.llamaAttention(b, d);
            Parts.gatedMlp(b, d.hidden(), intermediate);
            b.norm(NormSlot.ATTENTION_INPUT, plain("input_layernorm", d.hidden(), eps));
            if (qkNorm) {
                b.norm(NormSlot.Q, plain("self_attn.q_norm", d.queries(), eps)).norm(NormSlot.K, plain("self_attn.k_norm", d.keys(), eps));
            }
            b.afterNorm("input_layernorm", Subset.Inspect.BLOCK, false, "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "mlp.gate_proj",
                    "mlp.up_proj");
            b.afterLinear("self_attn.v_proj", false, "self_attn.o_proj").afterLinear("mlp.up_proj", true, "mlp.down_proj");
            blocks.add(b.build());
        }
        ModelSpec spec = new ModelSpec(name(), d.hidden(), d.vocabulary(), d.context(), 1f, 0, (float) c.numberOr(1, "logit_scale"), 0f,
                Collections.nCopies(d.layers(), layer));
        EndsLayout ends = EndsLayout.of("model.embed_tokens.weight", plain("model.norm", d.hidden(), eps), "lm_head.weight", Parts.tied(c, true));
        return new ModelShape(spec, ends, blocks, Parts.MODEL_ROOTS, List.of());
    }

    private static NormLayout plain(String name, int features, double eps) {
        return new NormLayout(name, Norm.Kind.LAYER, (float) eps, features, List.of(name + ".weight"), "", false);
    }
}
