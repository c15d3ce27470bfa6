package io.llmc4j.formats.hf.family;

import io.llmc4j.engine.kernel.Activation;
import io.llmc4j.engine.model.AttentionSpec.QkNorm;
import io.llmc4j.engine.model.FeedForwardSpec;
import io.llmc4j.engine.model.FeedForwardSpec.Experts;
import io.llmc4j.engine.model.Role;
import io.llmc4j.formats.hf.Activations;
import io.llmc4j.formats.hf.Family;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.ModelShape;
import java.util.List;
import java.util.function.IntFunction;

/** Qwen3-MoE: Qwen3 with routed experts and no shared one. */
public final class Qwen3Moe implements Family {

    @Override
    public String name() {
        return "qwen3_moe";
    }

    @Override
    public List<String> architectures() {
        return List.of("Qwen3MoeForCausalLM");
    }

    @Override
    public String quirks() {
        return "experts without a shared one; q/k norms by head";
    }

    @Override
    public ModelShape shape(HfConfig c) {
        Dims d = Dims.of(c);
        int dense = c.integer("intermediate_size");
        int each = c.integer("moe_intermediate_size");

        int experts = c.integer("num_experts", "num_local_experts");
        int step = c.integerOr(1, "decoder_sparse_step");
        List<Integer> denseLayers = c.integers("mlp_only_layers");
        Activation f = Activations.read(c, "silu", "hidden_act");
        FeedForwardSpec moe = Parts.experts(each, f, new Experts(experts, c.integer("num_experts_per_tok"), each, 0, false, Experts.Scoring.SOFTMAX,
                c.flagOr(false, "norm_topk_prob"), 1, 1, Experts.GroupScoring.MAX, 1f, false));
        IntFunction<Boolean> sparse = i -> !denseLayers.contains(i) && experts > 0 && (i + 1) % step == 0;
        c.harmless("max_window_layers");
        return MoeShaped.shape(c, name(), d, 1e-6, LlamaShaped.switchedWindow(c, i -> true), QkNorm.SHARED_BY_HEADS, i -> sparse.apply(i)
                ? moe : Parts.dense(dense, f, true), (b, i) -> {
            if (!sparse.apply(i)) {
                Parts.gatedMlp(b, d.hidden(), dense);
                Parts.gatedMlpSubsets(b, "post_attention_layernorm");
                return;
            }
            b.linear("mlp.gate", Role.ROUTER, experts, d.hidden());
            MoeShaped.experts(b, d.hidden(), each, experts, "mlp.experts.", "gate_proj", "up_proj", "down_proj");
            MoeShaped.subsets(b, "post_attention_layernorm", experts, "mlp.experts.", "gate_proj", "up_proj", "down_proj", List.of("mlp.gate"),
                    "mlp.gate");
        });
    }
}
