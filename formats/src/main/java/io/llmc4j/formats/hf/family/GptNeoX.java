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

/** GPT-NeoX and Pythia. */
public final class GptNeoX implements Family {

    @Override
    public String name() {
        return "gpt_neox";
    }

    @Override
    public List<String> architectures() {
        return List.of("GPTNeoXForCausalLM");
    }

    @Override
    public String quirks() {
        return "parallel with two norms; partial rotary; q, k, v head by head";
    }

    @Override
    public ModelShape shape(HfConfig c) {
        Dims d = Dims.of(c);
        int ffn = c.integer("intermediate_size");
        double eps = c.numberOr(1e-5, "layer_norm_eps");
        boolean parallel = c.flagOr(true, "use_parallel_residual");
        c.harmless("attention_bias");
        Rope rope = Rope.of(c);
        int dims = (int) (d.headDim() * rope.partial(0.25, "partial_rotary_factor", "rotary_pct"));
        Rotary rotary = new Rotary(dims, false, rope.scaling(dims, 10000, d.context(), "rope_theta", "rotary_emb_base"));
        LayerSpec layer = new LayerSpec(d.attention(rotary, 0, QkNorm.NONE), Parts.dense(ffn, Activations.read(c, "gelu", "hidden_act"), false),
                parallel, 1f);
        List<BlockLayout> blocks = new ArrayList<>();
        for (int i = 0; i < d.layers(); i++) {
            BlockBuilder b = new BlockBuilder(i, "gpt_neox.layers." + i);
            Fused.triples(b, "attention.query_key_value", d);
            b.linear("attention.dense", Role.O, d.hidden(), d.hidden());
            b.linear("mlp.dense_h_to_4h", Role.UP, ffn, d.hidden()).linear("mlp.dense_4h_to_h", Role.DOWN, d.hidden(), ffn);
            b.layerNorm(NormSlot.ATTENTION_INPUT, "input_layernorm", d.hidden(), eps)
                    .layerNorm(NormSlot.MLP_INPUT, "post_attention_layernorm", d.hidden(), eps);
            b.buffer("attention.bias", "attention.masked_bias", "attention.rotary_emb.inv_freq");
            Fused.attentionSubsets(b, "input_layernorm", "attention.query_key_value", "attention.dense");
            b.afterNorm("post_attention_layernorm", Subset.Inspect.LINEAR, true, "mlp.dense_h_to_4h")
                    .alone(Subset.Inspect.LINEAR, true, "mlp.dense_4h_to_h");
            blocks.add(b.build());
        }
        EndsLayout ends = EndsLayout.of("gpt_neox.embed_in.weight", Parts.layerNorm("gpt_neox.final_layer_norm", d.hidden(), eps),
                "embed_out.weight", Parts.tied(c, false));
        return new ModelShape(Parts.spec(name(), d, Collections.nCopies(d.layers(), layer)), ends, blocks, List.of("gpt_neox."), List.of());
    }
}
