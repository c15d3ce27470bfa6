package io.llmc4j.formats.hf.family;

import io.llmc4j.engine.model.AttentionSpec.QkNorm;
import io.llmc4j.engine.model.AttentionSpec.Rotary;
import io.llmc4j.engine.model.LayerSpec;
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
import java.util.stream.IntStream;

/** StableLM. */
public final class StableLm implements Family {

    @Override
    public String name() {
        return "stablelm";
    }

    @Override
    public List<String> architectures() {
        return List.of("StableLmForCausalLM", "StableLMEpochForCausalLM");
    }

    @Override
    public String quirks() {
        return "LayerNorm; partial rotary; parallel and q/k norms a head in large sizes";
    }

    @Override
    public ModelShape shape(HfConfig c) {
        Dims d = Dims.of(c);
        int intermediate = c.integer("intermediate_size");
        double eps = c.numberOr(1e-5, "layer_norm_eps", "norm_eps");
        boolean parallel = c.flagOr(false, "use_parallel_residual");
        boolean qkNorm = c.flagOr(false, "qk_layernorm");
        c.harmless("use_qkv_bias");
        Rope rope = Rope.of(c);
        int dims = (int) (d.headDim() * rope.partial(0.25, "partial_rotary_factor", "rope_pct"));
        Rotary rotary = new Rotary(dims, false, rope.scaling(dims, 10000, d.context()));
        LayerSpec layer = new LayerSpec(d.attention(rotary, 0, qkNorm ? QkNorm.EACH_HEAD : QkNorm.NONE),
                Parts.dense(intermediate, Activations.read(c, "silu", "hidden_act"), true), parallel, 1f);
        List<BlockLayout> blocks = new ArrayList<>();
        for (int i = 0; i < d.layers(); i++) {
            BlockBuilder b = new BlockBuilder(i, "model.layers." + i);
            Parts.llamaAttention(b, d);
            Parts.gatedMlp(b, d.hidden(), intermediate);
            b.layerNorm(NormSlot.ATTENTION_INPUT, "input_layernorm", d.hidden(), eps);
            if (qkNorm) {
                b.norm(NormSlot.Q, eachHead("self_attn.q_layernorm", d.heads(), d.headDim(), eps));
                b.norm(NormSlot.K, eachHead("self_attn.k_layernorm", d.kvHeads(), d.headDim(), eps));
            }
            if (parallel) {
                b.afterNorm("input_layernorm", Subset.Inspect.BLOCK, false, "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
                        "mlp.gate_proj", "mlp.up_proj");
                b.afterLinear("self_attn.v_proj", false, "self_attn.o_proj").afterLinear("mlp.up_proj", true, "mlp.down_proj");
            } else {
                b.layerNorm(NormSlot.MLP_INPUT, "post_attention_layernorm", d.hidden(), eps);
                Parts.llamaAttentionSubsets(b, "input_layernorm");
                Parts.gatedMlpSubsets(b, "post_attention_layernorm");
            }
            blocks.add(b.build());
        }
        EndsLayout ends = EndsLayout.of("model.embed_tokens.weight", Parts.layerNorm("model.norm", d.hidden(), eps), "lm_head.weight",
                Parts.tied(c, false));
        return new ModelShape(Parts.spec(name(), d, Collections.nCopies(d.layers(), layer)), ends, blocks, Parts.MODEL_ROOTS, List.of());
    }

    private static NormLayout eachHead(String name, int heads, int headDim, double eps) {
        List<String> weights = IntStream.range(0, heads).mapToObj(h -> name + ".norms." + h + ".weight").toList();
        return new NormLayout(name, Norm.Kind.LAYER, (float) eps, heads * headDim, weights, "", false);
    }
}
