package io.llmc4j.formats.hf.family;

import io.llmc4j.engine.kernel.Activation;
import io.llmc4j.engine.model.AttentionSpec;
import io.llmc4j.engine.model.AttentionSpec.QkNorm;
import io.llmc4j.engine.model.AttentionSpec.Rotary;
import io.llmc4j.engine.model.LayerSpec;
import io.llmc4j.engine.model.ModelSpec;
import io.llmc4j.engine.model.NormSlot;
import io.llmc4j.engine.tensor.Conversions;
import io.llmc4j.formats.hf.Activations;
import io.llmc4j.formats.hf.BlockBuilder;
import io.llmc4j.formats.hf.BlockLayout;
import io.llmc4j.formats.hf.EndsLayout;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.ModelShape;
import io.llmc4j.formats.hf.Rope;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;

/** The three Gemmas: norms that store weight - 1, a scaled embedding, a gated tanh-GELU; from the second on norms on both branches and windows. */
final class GemmaShaped {

    private GemmaShaped() {
    }

    static ModelShape first(HfConfig c, String family) {
        Dims d = Dims.of(c);
        c.only("use_bidirectional_attention", false);
        c.harmless("attention_bias");
        Rotary rotary = new Rotary(d.headDim(), false, Rope.of(c).scaling(d.headDim(), 10000, d.context()));
        AttentionSpec attention = d.attention(rotary, 0, QkNorm.NONE);
        // Early configs say "gelu" and mean its tanh form, as hidden_activation in later ones does.
        boolean early = !c.has("hidden_activation") && c.text("hidden_act").orElse("gelu").equals("gelu");
        Activation f = early ? Activation.GELU_TANH : Activations.read(c, "gelu_pytorch_tanh", "hidden_activation", "hidden_act");
        return shape(c, c, family, d, i -> attention, f, false, 0f);
    }

    static ModelShape second(HfConfig c, String family) {
        Dims d = Dims.of(c);
        int window = c.integerOr(4096, "sliding_window");
        float cap = (float) c.numberOr(0, "attn_logit_softcapping");
        float finalCap = (float) c.numberOr(0, "final_logit_softcapping");
        float scale = Dims.rootScale(c.numberOr(256, "query_pre_attn_scalar"));
        List<String> types = c.layerTypes(d.layers());
        c.only("use_bidirectional_attention", false);
        c.harmless("attention_bias", "cache_implementation");
        Rotary rotary = new Rotary(d.headDim(), false, Rope.of(c).scaling(d.headDim(), 10000, d.context()));
        IntFunction<AttentionSpec> attention = i -> d.attention(rotary, local(types, i, i % 2 == 0) ? window : 0, QkNorm.NONE, scale, cap, false);
        return shape(c, c, family, d, attention, Activations.read(c, "gelu_pytorch_tanh", "hidden_activation", "hidden_act"), true, finalCap);
    }

    /** @param top the config that this one is nested in, or itself */
    static ModelShape third(HfConfig c, HfConfig top, String family) {
        int hidden = c.integer("hidden_size");
        Dims d = new Dims(hidden, c.integer("num_hidden_layers"), c.integerOr(8, "num_attention_heads"), c.integerOr(4, "num_key_value_heads"),
                c.integerOr(256, "head_dim"), c.integerOr(262208, "vocab_size"), c.integerOr(131072, "max_position_embeddings")).check(c);
        int window = c.integerOr(4096, "sliding_window");
        int pattern = c.integerOr(6, "sliding_window_pattern", "_sliding_window_pattern");
        float cap = (float) c.numberOr(0, "attn_logit_softcapping");
        float finalCap = (float) c.numberOr(0, "final_logit_softcapping");
        float scale = Dims.rootScale(c.numberOr(256, "query_pre_attn_scalar"));
        List<String> types = c.layerTypes(d.layers());
        c.only("use_bidirectional_attention", false);
        c.harmless("attention_bias");
        Rotary global = new Rotary(d.headDim(), false, Rope.of(c, "full_attention").scaling(d.headDim(), 1_000_000, d.context()));
        Rotary near = new Rotary(d.headDim(), false,
                Rope.unscaled(c, "sliding_attention").scaling(d.headDim(), c.numberOr(10000, "rope_local_base_freq"), d.context(),
                        "rope_local_base_freq"));
        IntFunction<AttentionSpec> attention = i -> {
            boolean local = local(types, i, (i + 1) % pattern != 0);
            return d.attention(local ? near : global, local ? window : 0, QkNorm.SHARED_BY_HEADS, scale, cap, false);
        };
        return shape(c, top, family, d, attention, Activations.read(c, "gelu_pytorch_tanh", "hidden_activation", "hidden_act"), true, finalCap);
    }

    private static boolean local(List<String> types, int layer, boolean otherwise) {
        return types.isEmpty() ? otherwise : types.get(layer).equals("sliding_attention");
    }

    private static ModelShape shape(HfConfig c, HfConfig top, String family, Dims d, IntFunction<AttentionSpec> attention, Activation f,
            boolean sandwich,
                                    float finalCap) {
        int intermediate = c.integer("intermediate_size");
        double eps = c.numberOr(1e-6, "rms_norm_eps");
        List<LayerSpec> layers = new ArrayList<>();
        List<BlockLayout> blocks = new ArrayList<>();
        for (int i = 0; i < d.layers(); i++) {
            AttentionSpec a = attention.apply(i);
            layers.add(Parts.sequential(a, Parts.dense(intermediate, f, true)));
            BlockBuilder b = new BlockBuilder(i, "model.layers." + i);
            Parts.llamaAttention(b, d);
            Parts.gatedMlp(b, d.hidden(), intermediate);
            String mlpNorm = sandwich ? "pre_feedforward_layernorm" : "post_attention_layernorm";
            norm(b, NormSlot.ATTENTION_INPUT, "input_layernorm", d.hidden(), eps);
            norm(b, NormSlot.MLP_INPUT, mlpNorm, d.hidden(), eps);
            if (sandwich) {
                norm(b, NormSlot.ATTENTION_OUTPUT, "post_attention_layernorm", d.hidden(), eps);
                norm(b, NormSlot.MLP_OUTPUT, "post_feedforward_layernorm", d.hidden(), eps);
            }
            if (a.qkNorm() == QkNorm.SHARED_BY_HEADS) {
                norm(b, NormSlot.Q, "self_attn.q_norm", d.headDim(), eps);
                norm(b, NormSlot.K, "self_attn.k_norm", d.headDim(), eps);
            }
            Parts.llamaAttentionSubsets(b, "input_layernorm");
            Parts.gatedMlpSubsets(b, mlpNorm);
            blocks.add(b.build());
        }
        ModelSpec spec = new ModelSpec(family, d.hidden(), d.vocabulary(), d.context(), embeddingScale(c, top, d.hidden()), 0, 1f, finalCap, layers);
        boolean tied = c.flagOr(top.flagOr(true, "tie_word_embeddings"), "tie_word_embeddings");
        EndsLayout ends = EndsLayout.of("model.embed_tokens.weight", Parts.rmsPlusOne("model.norm", d.hidden(), eps), "lm_head.weight", tied);
        return new ModelShape(spec, ends, blocks, Parts.MODEL_ROOTS, List.of());
    }

    private static void norm(BlockBuilder b, NormSlot slot, String name, int features, double eps) {
        b.norm(slot, Parts.rmsPlusOne(name, features, eps));
    }

    /** sqrt(hidden) in the type that the model is kept in: part of what it was trained with. */
    private static float embeddingScale(HfConfig c, HfConfig top, int hidden) {
        float root = (float) Math.sqrt(hidden);
        String type = c.text("dtype", "torch_dtype").or(() -> top.text("dtype", "torch_dtype")).orElse("float32");
        return switch (type) {
            case "bfloat16" -> Conversions.bf16ToFloat(Conversions.floatToBf16(root));
            case "float16" -> Conversions.f16ToFloat(Conversions.floatToF16(root));
            case "float32" -> root;
            default -> throw c.wrong("dtype", type, "bfloat16, float16, float32");
        };
    }
}
