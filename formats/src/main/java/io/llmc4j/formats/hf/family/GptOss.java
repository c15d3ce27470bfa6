package io.llmc4j.formats.hf.family;

import io.llmc4j.engine.kernel.Activation;
import io.llmc4j.engine.model.AttentionSpec.QkNorm;
import io.llmc4j.engine.model.AttentionSpec.Rotary;
import io.llmc4j.engine.model.FeedForwardSpec;
import io.llmc4j.engine.model.FeedForwardSpec.Experts;
import io.llmc4j.engine.model.LayerSpec;
import io.llmc4j.engine.model.NormSlot;
import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.model.Subset;
import io.llmc4j.formats.hf.BlockBuilder;
import io.llmc4j.formats.hf.BlockBuilder.Piece;
import io.llmc4j.formats.hf.BlockLayout;
import io.llmc4j.formats.hf.EndsLayout;
import io.llmc4j.formats.hf.Family;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.ModelShape;
import io.llmc4j.formats.hf.Rope;
import io.llmc4j.formats.hf.RowMap;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** GPT-OSS. */
public final class GptOss implements Family {

    @Override
    public String name() {
        return "gpt_oss";
    }

    @Override
    public List<String> architectures() {
        return List.of("GptOssForCausalLM");
    }

    @Override
    public String quirks() {
        return "sinks; windows on even layers; stacked interleaved experts; clamped gate; MXFP4 source";
    }

    @Override
    public ModelShape shape(HfConfig c) {
        Dims d = Dims.of(c);
        int each = c.integer("intermediate_size");
        int experts = c.integer("num_local_experts", "num_experts");
        double eps = c.numberOr(1e-5, "rms_norm_eps");
        int window = Parts.window(c);
        List<String> types = c.layerTypes(d.layers());
        c.harmless("attention_bias", "initial_context_length", "hidden_act");
        Rotary rotary = new Rotary(d.headDim(), false, Rope.of(c).scaling(d.headDim(), 150000, d.context()));
        FeedForwardSpec moe = new FeedForwardSpec(each, Activation.SILU, true, (float) c.numberOr(7, "swiglu_limit"), Optional.of(new Experts(experts,
                c.integer("num_experts_per_tok", "experts_per_token"), each, 0, false, Experts.Scoring.SOFTMAX_OF_CHOSEN, false, 1, 1,
                        Experts.GroupScoring.MAX, 1f, false)));
        List<LayerSpec> layers = new ArrayList<>();
        List<BlockLayout> blocks = new ArrayList<>();
        for (int i = 0; i < d.layers(); i++) {
            boolean local = types.isEmpty() ? i % 2 == 0 : types.get(i).equals("sliding_attention");
            layers.add(Parts.sequential(d.attention(rotary, local ? window : 0, QkNorm.NONE, Dims.rootScale(d.headDim()), 0f, true), moe));
            blocks.add(block(i, d, each, experts, eps));
        }
        EndsLayout ends = EndsLayout.of("model.embed_tokens.weight", Parts.rms("model.norm", d.hidden(), eps), "lm_head.weight",
                Parts.tied(c, false));
        return new ModelShape(Parts.spec(name(), d, layers), ends, blocks, Parts.MODEL_ROOTS, List.of());
    }

    private static BlockLayout block(int i, Dims d, int each, int experts, double eps) {
        BlockBuilder b = new BlockBuilder(i, "model.layers." + i);
        Parts.llamaAttention(b, d);
        b.vector("sinks", "self_attn.sinks", d.heads());
        b.linear("mlp.router", Role.ROUTER, experts, d.hidden());
        String stack = "mlp.experts.";
        List<String> first = new ArrayList<>();
        for (int e = 0; e < experts; e++) {
            String name = stack + e + ".gate_up_proj";
            // Even output features are gates, odd ones ups.
            b.stacked(name, stack + "gate_up_proj", stack + "gate_up_proj_bias", e, d.hidden(),
                    new Piece("gate", Role.EXPERT_GATE, RowMap.strided(0, each, 1, 2)),
                            new Piece("up", Role.EXPERT_UP, RowMap.strided(1, each, 1, 2)));
            b.stacked(stack + e + ".down_proj", stack + "down_proj", stack + "down_proj_bias", e, each,
                    new Piece("down", Role.EXPERT_DOWN, RowMap.contiguous(0, d.hidden())));
            first.add(name + "[gate]");
            first.add(name + "[up]");
        }
        first.add("mlp.router");
        b.rms(NormSlot.ATTENTION_INPUT, "input_layernorm", d.hidden(), eps).rms(NormSlot.MLP_INPUT, "post_attention_layernorm", d.hidden(), eps);
        Parts.llamaAttentionSubsets(b, "input_layernorm");
        b.subset(new Subset(first, Optional.of(new Subset.PreviousNorm("post_attention_layernorm")), Subset.Inspect.MLP, true, true, true,
                "mlp.router"));
        // One is added to the clamped up branch, so no scale passes through it.
        for (int e = 0; e < experts; e++) {
            b.alone(Subset.Inspect.LINEAR, true, stack + e + ".down_proj");
        }
        return b.build();
    }
}
