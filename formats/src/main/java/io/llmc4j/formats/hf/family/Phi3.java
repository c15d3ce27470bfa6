package io.llmc4j.formats.hf.family;

import io.llmc4j.engine.model.AttentionSpec.QkNorm;
import io.llmc4j.engine.model.AttentionSpec.Rotary;
import io.llmc4j.engine.model.LayerSpec;
import io.llmc4j.engine.model.NormSlot;
import io.llmc4j.engine.model.Role;
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

/** Phi-3 and Phi-4 (and their mini sizes). */
public final class Phi3 implements Family {

    @Override
    public String name() {
        return "phi3";
    }

    @Override
    public List<String> architectures() {
        return List.of("Phi3ForCausalLM");
    }

    @Override
    public String quirks() {
        return "fused q, k, v and gate, up; LongRoPE; windows";
    }

    @Override
    public ModelShape shape(HfConfig c) {
        Dims d = Dims.of(c);
        int intermediate = c.integer("intermediate_size");
        double eps = c.numberOr(1e-5, "rms_norm_eps");
        int window = Parts.window(c);
        c.harmless("original_max_position_embeddings", "attention_bias");
        Rope rope = Rope.of(c);
        int dims = (int) (d.headDim() * rope.partial(1, "partial_rotary_factor"));
        Rotary rotary = new Rotary(dims, false, rope.scaling(dims, 10000, d.context()));
        LayerSpec layer = Parts.sequential(d.attention(rotary, window, QkNorm.NONE),
                Parts.dense(intermediate, Activations.read(c, "silu", "hidden_act"), true));
        List<BlockLayout> blocks = new ArrayList<>();
        for (int i = 0; i < d.layers(); i++) {
            BlockBuilder b = new BlockBuilder(i, "model.layers." + i);
            Fused.thirds(b, "self_attn.qkv_proj", d);
            b.linear("self_attn.o_proj", Role.O, d.hidden(), d.queries());
            Fused.gateUp(b, "mlp.gate_up_proj", d.hidden(), intermediate);
            b.linear("mlp.down_proj", Role.DOWN, d.hidden(), intermediate);
            b.rms(NormSlot.ATTENTION_INPUT, "input_layernorm", d.hidden(), eps).rms(NormSlot.MLP_INPUT, "post_attention_layernorm", d.hidden(), eps);
            b.buffer("self_attn.rotary_emb.inv_freq");
            Fused.attentionSubsets(b, "input_layernorm", "self_attn.qkv_proj", "self_attn.o_proj");
            Fused.gateUpSubsets(b, "post_attention_layernorm", "mlp.gate_up_proj", "mlp.down_proj");
            blocks.add(b.build());
        }
        EndsLayout ends = EndsLayout.of("model.embed_tokens.weight", Parts.rms("model.norm", d.hidden(), eps), "lm_head.weight",
                Parts.tied(c, false));
        return new ModelShape(Parts.spec(name(), d, Collections.nCopies(d.layers(), layer)), ends, blocks, Parts.MODEL_ROOTS, List.of());
    }
}
