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
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.ModelShape;
import io.llmc4j.formats.hf.Rope;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** GLM and GLM-4: Llama's attention with interleaved half rotary, gate and up in one tensor, and (GLM-4) norms on both branches. */
final class GlmShaped {

    private GlmShaped() {
    }

    static ModelShape shape(HfConfig c, String family, boolean branchNorms) {
        Dims d = Dims.of(c);
        int intermediate = c.integer("intermediate_size");
        double eps = c.numberOr(1.5625e-7, "rms_norm_eps");
        c.harmless("attention_bias");
        Rope rope = Rope.of(c);
        int dims = (int) (d.headDim() * rope.partial(0.5, "partial_rotary_factor"));
        Rotary rotary = new Rotary(dims, true, rope.scaling(dims, 10000, d.context()));
        LayerSpec layer = Parts.sequential(d.attention(rotary, 0, QkNorm.NONE),
                Parts.dense(intermediate, Activations.read(c, "silu", "hidden_act"), true));
        List<BlockLayout> blocks = new ArrayList<>();
        for (int i = 0; i < d.layers(); i++) {
            BlockBuilder b = new BlockBuilder(i, "model.layers." + i);
            Parts.llamaAttention(b, d);
            Fused.gateUp(b, "mlp.gate_up_proj", d.hidden(), intermediate);
            b.linear("mlp.down_proj", Role.DOWN, d.hidden(), intermediate);
            b.rms(NormSlot.ATTENTION_INPUT, "input_layernorm", d.hidden(), eps).rms(NormSlot.MLP_INPUT, "post_attention_layernorm", d.hidden(), eps);
            if (branchNorms) {
                b.rms(NormSlot.ATTENTION_OUTPUT, "post_self_attn_layernorm", d.hidden(), eps)
                        .rms(NormSlot.MLP_OUTPUT, "post_mlp_layernorm", d.hidden(), eps);
            }
            Parts.llamaAttentionSubsets(b, "input_layernorm");
            Fused.gateUpSubsets(b, "post_attention_layernorm", "mlp.gate_up_proj", "mlp.down_proj");
            blocks.add(b.build());
        }
        EndsLayout ends = EndsLayout.of("model.embed_tokens.weight", Parts.rms("model.norm", d.hidden(), eps), "lm_head.weight",
                Parts.tied(c, false));
        return new ModelShape(Parts.spec(family, d, Collections.nCopies(d.layers(), layer)), ends, blocks, Parts.MODEL_ROOTS, List.of());
    }
}
