package io.llmc4j.formats.hf.family;

import io.llmc4j.engine.kernel.Activation;
import io.llmc4j.engine.model.AttentionSpec;
import io.llmc4j.engine.model.AttentionSpec.Latent;
import io.llmc4j.engine.model.AttentionSpec.QkNorm;
import io.llmc4j.engine.model.AttentionSpec.Rotary;
import io.llmc4j.engine.model.FeedForwardSpec;
import io.llmc4j.engine.model.FeedForwardSpec.Experts;
import io.llmc4j.engine.model.LayerSpec;
import io.llmc4j.engine.model.NormSlot;
import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.model.RopeScaling;
import io.llmc4j.engine.model.Subset;
import io.llmc4j.formats.hf.Activations;
import io.llmc4j.formats.hf.BlockBuilder;
import io.llmc4j.formats.hf.BlockLayout;
import io.llmc4j.formats.hf.EndsLayout;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.ModelShape;
import io.llmc4j.formats.hf.ModelShape.Carried;
import io.llmc4j.formats.hf.Rope;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** DeepSeek V2 and V3: multi-head latent attention (arXiv 2405.04434), a few dense blocks, then experts with shared ones. */
final class DeepSeekShaped {

    /** Of the norms on the latents, which the config does not name. */
    private static final double LATENT_EPS = 1e-6;

    private DeepSeekShaped() {
    }

    static ModelShape shape(HfConfig c, String family, Experts experts) {
        int hidden = c.integer("hidden_size");
        int heads = c.integer("num_attention_heads");
        Latent latent = new Latent(c.integerOr(0, "q_lora_rank"), c.integer("kv_lora_rank"), c.integer("qk_nope_head_dim"),
                c.integer("qk_rope_head_dim"));
        int headDim = latent.nopeDim() + latent.ropeDim();
        c.harmless("head_dim", "qk_head_dim", "attention_bias", "mlp_bias", "num_key_value_heads");
        Dims d = new Dims(hidden, c.integer("num_hidden_layers"), heads, heads, headDim, c.integer("vocab_size"),
                c.integerOr(2048, "max_position_embeddings"))
                .check(c);
        int valueDim = c.integer("v_head_dim");
        int dense = c.integer("intermediate_size");
        int firstDense = c.integerOr(0, "first_k_dense_replace");
        int frequency = c.integerOr(1, "moe_layer_freq");
        double eps = c.numberOr(1e-6, "rms_norm_eps");
        Activation f = Activations.read(c, "silu", "hidden_act");
        RopeScaling scaling = Rope.of(c).scaling(latent.ropeDim(), 10000, d.context());
        AttentionSpec attention = new AttentionSpec(heads, heads, headDim, valueDim, scale(headDim, scaling),
                new Rotary(latent.ropeDim(), c.flagOr(true, "rope_interleave"), scaling), 0, 0f, QkNorm.NONE, false, Optional.of(latent), 0);
        List<LayerSpec> layers = new ArrayList<>();
        List<BlockLayout> blocks = new ArrayList<>();
        for (int i = 0; i < d.layers(); i++) {
            boolean sparse = i >= firstDense && i % frequency == 0;
            FeedForwardSpec feedForward = sparse ? Parts.experts(experts.intermediate(), f, experts) : Parts.dense(dense, f, true);
            layers.add(Parts.sequential(attention, feedForward));
            BlockBuilder b = new BlockBuilder(i, "model.layers." + i);
            attention(b, d, latent, valueDim, eps);
            b.rms(NormSlot.MLP_INPUT, "post_attention_layernorm", hidden, eps);
            if (sparse) {
                experts(b, hidden, experts);
            } else {
                Parts.gatedMlp(b, hidden, dense);
                Parts.gatedMlpSubsets(b, "post_attention_layernorm");
            }
            blocks.add(b.build());
        }
        EndsLayout ends = EndsLayout.of("model.embed_tokens.weight", Parts.rms("model.norm", hidden, eps), "lm_head.weight", Parts.tied(c, false));
        return new ModelShape(Parts.spec(family, d, layers), ends, blocks, List.of("model."), nextToken(c, d.layers()));
    }

    /** Scores shrink by the head's width, and grow by YaRN's temperature squared where all dimensions have it. */
    private static float scale(int headDim, RopeScaling scaling) {
        double s = 1 / Math.sqrt(headDim);
        if (scaling instanceof RopeScaling.Yarn y && y.mscaleAllDims() != 0) {
            double m = RopeScaling.Yarn.temperature(y.factor(), y.mscaleAllDims());
            s *= m * m;
        }
        return (float) s;
    }

    private static void attention(BlockBuilder b, Dims d, Latent latent, int valueDim, double eps) {
        int hidden = d.hidden();
        String first = latent.qRank() == 0 ? "self_attn.q_proj" : "self_attn.q_a_proj";
        if (latent.qRank() == 0) {
            b.linear(first, Role.Q, d.queries(), hidden);
        } else {
            b.linear(first, Role.Q_A, latent.qRank(), hidden).linear("self_attn.q_b_proj", Role.Q_B, d.queries(), latent.qRank());
            b.rms(NormSlot.Q_LATENT, "self_attn.q_a_layernorm", latent.qRank(), LATENT_EPS);
        }
        b.linear("self_attn.kv_a_proj_with_mqa", Role.KV_A, latent.kvRank() + latent.ropeDim(), hidden);
        b.linear("self_attn.kv_b_proj", Role.KV_B, d.heads() * (latent.nopeDim() + valueDim), latent.kvRank());
        b.linear("self_attn.o_proj", Role.O, hidden, d.heads() * valueDim);
        b.rms(NormSlot.ATTENTION_INPUT, "input_layernorm", hidden, eps)
                .rms(NormSlot.KV_LATENT, "self_attn.kv_a_layernorm", latent.kvRank(), LATENT_EPS);
        b.buffer("self_attn.rotary_emb.inv_freq");
        b.afterNorm("input_layernorm", Subset.Inspect.ATTENTION, false, first, "self_attn.kv_a_proj_with_mqa");
        if (latent.qRank() > 0) {
            b.subset(latentSubset("self_attn.q_b_proj", "self_attn.q_a_layernorm"));
        }
        b.alone(Subset.Inspect.LINEAR, false, "self_attn.o_proj");
        b.subset(latentSubset("self_attn.kv_b_proj", "self_attn.kv_a_layernorm"));
    }

    /** The latent is not part of the residual stream: no rotation reaches it. */
    private static Subset latentSubset(String layer, String norm) {
        return new Subset(List.of(layer), Optional.of(new Subset.PreviousNorm(norm)), Subset.Inspect.LINEAR, false, true, false);
    }

    private static void experts(BlockBuilder b, int hidden, Experts experts) {
        b.linear("mlp.gate", Role.ROUTER, experts.count(), hidden);
        if (experts.correction()) {
            b.vector("router_correction", "mlp.gate.e_score_correction_bias", experts.count());
        }
        MoeShaped.experts(b, hidden, experts.intermediate(), experts.count(), "mlp.experts.", "gate_proj", "up_proj", "down_proj");
        List<String> others = new ArrayList<>();
        boolean shared = experts.sharedIntermediate() > 0;
        if (shared) {
            MoeShaped.shared(b, hidden, experts.sharedIntermediate(), "mlp.shared_experts.");
            others.add("mlp.shared_experts.gate_proj");
            others.add("mlp.shared_experts.up_proj");
        }
        others.add("mlp.gate");
        MoeShaped.subsets(b, "post_attention_layernorm", experts.count(), "mlp.experts.", "gate_proj", "up_proj", "down_proj", others, "mlp.gate");
        if (shared) {
            b.afterLinear("mlp.shared_experts.up_proj", true, "mlp.shared_experts.down_proj");
        }
    }

    /** Blocks after the last one predict further tokens; inference of the model itself does not use them. */
    private static List<Carried> nextToken(HfConfig c, int layers) {
        List<Carried> out = new ArrayList<>();
        for (int i = 0; i < c.integerOr(0, "num_nextn_predict_layers"); i++) {
            out.add(new Carried("model.layers." + (layers + i) + ".", "multi-token prediction"));
        }
        return out;
    }
}
