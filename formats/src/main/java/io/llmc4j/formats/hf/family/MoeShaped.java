package io.llmc4j.formats.hf.family;

import io.llmc4j.engine.model.AttentionSpec.Position;
import io.llmc4j.engine.model.AttentionSpec.QkNorm;
import io.llmc4j.engine.model.FeedForwardSpec;
import io.llmc4j.engine.model.LayerSpec;
import io.llmc4j.engine.model.NormSlot;
import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.model.Subset;
import io.llmc4j.formats.hf.BlockBuilder;
import io.llmc4j.formats.hf.BlockLayout;
import io.llmc4j.formats.hf.EndsLayout;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.ModelShape;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.IntFunction;
import java.util.function.ObjIntConsumer;

/** Llama's attention with a feed-forward of experts: what Mixtral and the Qwen mixtures share. */
final class MoeShaped {

    private MoeShaped() {
    }

    /** @param mlp adds the feed-forward's modules and subsets to a block */
    static ModelShape shape(HfConfig c, String family, Dims d, double absentEps, IntFunction<Integer> window, QkNorm qkNorm,
            IntFunction<FeedForwardSpec> feedForward,
                            ObjIntConsumer<BlockBuilder> mlp) {
        double eps = c.numberOr(absentEps, "rms_norm_eps");
        c.harmless("attention_bias", "qkv_bias");
        Position rotary = LlamaShaped.rotary(c, d);
        List<LayerSpec> layers = new ArrayList<>();
        List<BlockLayout> blocks = new ArrayList<>();
        for (int i = 0; i < d.layers(); i++) {
            layers.add(Parts.sequential(d.attention(rotary, window.apply(i), qkNorm), feedForward.apply(i)));
            BlockBuilder b = new BlockBuilder(i, "model.layers." + i);
            Parts.llamaAttention(b, d);
            b.rms(NormSlot.ATTENTION_INPUT, "input_layernorm", d.hidden(), eps).rms(NormSlot.MLP_INPUT, "post_attention_layernorm", d.hidden(), eps);
            if (qkNorm == QkNorm.SHARED_BY_HEADS) {
                b.rms(NormSlot.Q, "self_attn.q_norm", d.headDim(), eps).rms(NormSlot.K, "self_attn.k_norm", d.headDim(), eps);
            }
            Parts.llamaAttentionSubsets(b, "input_layernorm");
            mlp.accept(b, i);
            blocks.add(b.build());
        }
        return new ModelShape(Parts.spec(family, d, layers),
                EndsLayout.of("model.embed_tokens.weight", Parts.rms("model.norm", d.hidden(), eps), "lm_head.weight", Parts.tied(c, false)), blocks,
                Parts.MODEL_ROOTS, List.of());
    }

    /** Modules of all experts, "prefix" + index + "." + name. */
    static void experts(BlockBuilder b, int hidden, int each, int count, String prefix, String gate, String up, String down) {
        for (int e = 0; e < count; e++) {
            String p = prefix + e + ".";
            b.linear(p + gate, Role.EXPERT_GATE, e, each, hidden).linear(p + up, Role.EXPERT_UP, e, each, hidden)
                    .linear(p + down, Role.EXPERT_DOWN, e, hidden, each);
        }
    }

    static void shared(BlockBuilder b, int hidden, int width, String prefix) {
        b.linear(prefix + "gate_proj", Role.SHARED_GATE, width, hidden).linear(prefix + "up_proj", Role.SHARED_UP, width, hidden)
                .linear(prefix + "down_proj", Role.SHARED_DOWN, hidden, width);
    }

    /**
     * One subset of all that reads the norm (gates of all experts, ups of all experts, then {@code others}), then each expert's down after its up.
     *
     * @param router its input is the whole subset's
     */
    static void subsets(BlockBuilder b, String norm, int count, String prefix, String gate, String up, String down, List<String> others,
            String router) {
        List<String> first = new ArrayList<>();
        for (int e = 0; e < count; e++) {
            first.add(prefix + e + "." + gate);
        }
        for (int e = 0; e < count; e++) {
            first.add(prefix + e + "." + up);
        }
        first.addAll(others);
        b.subset(new Subset(first, Optional.of(new Subset.PreviousNorm(norm)), Subset.Inspect.MLP, true, true, true, router));
        for (int e = 0; e < count; e++) {
            b.afterLinear(prefix + e + "." + up, true, prefix + e + "." + down);
        }
    }
}
