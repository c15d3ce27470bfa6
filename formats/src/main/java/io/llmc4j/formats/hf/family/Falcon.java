package io.llmc4j.formats.hf.family;

import io.llmc4j.engine.model.AttentionSpec.Alibi;
import io.llmc4j.engine.model.AttentionSpec.Position;
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

/** Falcon 7B, 40B, 180B and RW: what differs is told by flags of the config, never by the name. */
public final class Falcon implements Family {

    @Override
    public String name() {
        return "falcon";
    }

    @Override
    public List<String> architectures() {
        return List.of("FalconForCausalLM", "RWForCausalLM");
    }

    @Override
    public String quirks() {
        return "three layouts of q, k, v; parallel; multi-query; ALiBi in the RW models";
    }

    @Override
    public ModelShape shape(HfConfig c) {
        int hidden = c.integer("hidden_size");
        int heads = c.integer("num_attention_heads", "n_head");
        boolean grouped = c.flagOr(false, "new_decoder_architecture");
        boolean multiQuery = c.flagOr(true, "multi_query");
        boolean parallel = c.flagOr(true, "parallel_attn") || grouped;
        boolean alibi = c.flagOr(false, "alibi");
        int norms = grouped ? c.integerOr(2, "num_ln_in_parallel_attn") : 1;
        int stored = c.integerOr(heads, "num_kv_heads", "n_head_kv");
        int kvHeads = grouped ? stored : multiQuery ? 1 : heads;
        c.harmless("num_ln_in_parallel_attn", "bias", "num_kv_heads", "n_head_kv", "rope_theta");
        Dims d = new Dims(hidden, c.integer("num_hidden_layers", "n_layer"), heads, kvHeads, hidden / heads, c.integer("vocab_size"),
                c.integerOr(2048, "max_position_embeddings")).check(c);
        int ffn = c.integerOr(4 * hidden, "ffn_hidden_size");
        double eps = c.numberOr(1e-5, "layer_norm_epsilon");
        Position position = alibi ? new Alibi(Dims.rootScale(d.headDim())) : new Rotary(d.headDim(), false, Rope.of(c).scaling(d.headDim(), 10000, d.context()));
        LayerSpec layer = new LayerSpec(d.attention(position, 0, QkNorm.NONE), Parts.dense(ffn, Activations.read(c, "gelu", "activation"), false),
                parallel, 1f);
        List<BlockLayout> blocks = new ArrayList<>();
        for (int i = 0; i < d.layers(); i++) {
            BlockBuilder b = new BlockBuilder(i, "transformer.h." + i);
            String qkv = "self_attention.query_key_value";
            if (grouped) {
                Fused.groups(b, qkv, d);
            } else if (multiQuery) {
                Fused.thirds(b, qkv, d);
            } else {
                Fused.triples(b, qkv, d);
            }
            b.linear("self_attention.dense", Role.O, hidden, hidden);
            b.linear("mlp.dense_h_to_4h", Role.UP, ffn, hidden).linear("mlp.dense_4h_to_h", Role.DOWN, hidden, ffn);
            b.buffer("self_attention.rotary_emb.inv_freq");
            subsets(b, qkv, hidden, eps, parallel, norms == 2);
            blocks.add(b.build());
        }
        EndsLayout ends = EndsLayout.of("transformer.word_embeddings.weight", Parts.layerNorm("transformer.ln_f", hidden, eps), "lm_head.weight",
                Parts.tied(c, true));
        return new ModelShape(Parts.spec(name(), d, Collections.nCopies(d.layers(), layer)), ends, blocks, List.of("transformer.", ""), List.of());
    }

    private static void subsets(BlockBuilder b, String qkv, int hidden, double eps, boolean parallel, boolean twoNorms) {
        if (twoNorms) {
            b.layerNorm(NormSlot.ATTENTION_INPUT, "ln_attn", hidden, eps).layerNorm(NormSlot.MLP_INPUT, "ln_mlp", hidden, eps);
            Fused.attentionSubsets(b, "ln_attn", qkv, "self_attention.dense");
            b.afterNorm("ln_mlp", Subset.Inspect.LINEAR, true, "mlp.dense_h_to_4h");
        } else if (parallel) {
            b.layerNorm(NormSlot.ATTENTION_INPUT, "input_layernorm", hidden, eps);
            b.afterNorm("input_layernorm", Subset.Inspect.BLOCK, false, qkv + "[q]", qkv + "[k]", qkv + "[v]", "mlp.dense_h_to_4h");
            b.afterLinear(qkv + "[v]", false, "self_attention.dense");
        } else {
            b.layerNorm(NormSlot.ATTENTION_INPUT, "input_layernorm", hidden, eps)
                    .layerNorm(NormSlot.MLP_INPUT, "post_attention_layernorm", hidden, eps);
            Fused.attentionSubsets(b, "input_layernorm", qkv, "self_attention.dense");
            b.afterNorm("post_attention_layernorm", Subset.Inspect.LINEAR, true, "mlp.dense_h_to_4h");
        }
        b.alone(Subset.Inspect.LINEAR, true, "mlp.dense_4h_to_h");
    }
}
