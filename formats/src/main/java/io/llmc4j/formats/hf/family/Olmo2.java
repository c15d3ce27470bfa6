package io.llmc4j.formats.hf.family;

import io.llmc4j.engine.model.AttentionSpec.QkNorm;
import io.llmc4j.engine.model.AttentionSpec.Rotary;
import io.llmc4j.engine.model.LayerSpec;
import io.llmc4j.engine.model.NormSlot;
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

/** OLMo 2. */
public final class Olmo2 implements Family {

    @Override
    public String name() {
        return "olmo2";
    }

    @Override
    public List<String> architectures() {
        return List.of("Olmo2ForCausalLM");
    }

    @Override
    public String quirks() {
        return "norms after the branches only; q/k norms over the full width";
    }

    @Override
    public String without() {
        return "QuaRot, SpinQuant (norms with weights on the branches)";
    }

    @Override
    public ModelShape shape(HfConfig c) {
        Dims d = Dims.of(c);
        int intermediate = c.integer("intermediate_size");
        double eps = c.numberOr(1e-5, "rms_norm_eps");
        c.harmless("attention_bias");
        Rotary rotary = new Rotary(d.headDim(), false, Rope.of(c).scaling(d.headDim(), 10000, d.context()));
        LayerSpec layer = Parts.sequential(d.attention(rotary, 0, QkNorm.FULL_WIDTH),
                Parts.dense(intermediate, Activations.read(c, "silu", "hidden_act"), true));
        List<BlockLayout> blocks = new ArrayList<>();
        for (int i = 0; i < d.layers(); i++) {
            BlockBuilder b = new BlockBuilder(i, "model.layers." + i);
            Parts.llamaAttention(b, d);
            Parts.gatedMlp(b, d.hidden(), intermediate);
            b.rms(NormSlot.ATTENTION_OUTPUT, "post_attention_layernorm", d.hidden(), eps)
                    .rms(NormSlot.MLP_OUTPUT, "post_feedforward_layernorm", d.hidden(), eps);
            b.rms(NormSlot.Q, "self_attn.q_norm", d.queries(), eps).rms(NormSlot.K, "self_attn.k_norm", d.keys(), eps);
            b.alone(Subset.Inspect.ATTENTION, false, "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj");
            b.afterLinear("self_attn.v_proj", false, "self_attn.o_proj");
            b.alone(Subset.Inspect.MLP, true, "mlp.gate_proj", "mlp.up_proj").afterLinear("mlp.up_proj", true, "mlp.down_proj");
            blocks.add(b.build());
        }
        EndsLayout ends = EndsLayout.of("model.embed_tokens.weight", Parts.rms("model.norm", d.hidden(), eps), "lm_head.weight",
                Parts.tied(c, false));
        return new ModelShape(Parts.spec(name(), d, Collections.nCopies(d.layers(), layer)), ends, blocks, Parts.MODEL_ROOTS, List.of());
    }
}
