package io.llmc4j.formats.hf.family;

import io.llmc4j.engine.model.AttentionSpec.QkNorm;
import io.llmc4j.engine.model.FeedForwardSpec;
import io.llmc4j.engine.model.FeedForwardSpec.Experts;
import io.llmc4j.engine.model.Role;
import io.llmc4j.formats.hf.Activations;
import io.llmc4j.formats.hf.Family;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.ModelShape;
import java.util.List;

/** Mixtral: Mistral with experts in place of the feed-forward. */
public final class Mixtral implements Family {

    @Override
    public String name() {
        return "mixtral";
    }

    @Override
    public List<String> architectures() {
        return List.of("MixtralForCausalLM");
    }

    @Override
    public String quirks() {
        return "mixture of experts (w1, w2, w3), softmax over all, renormalised";
    }

    @Override
    public ModelShape shape(HfConfig c) {
        Dims d = Dims.of(c);
        int intermediate = c.integer("intermediate_size");
        int experts = c.integer("num_local_experts", "num_experts");
        int perToken = c.integer("num_experts_per_tok");
        int window = Parts.window(c);
        FeedForwardSpec moe = Parts.experts(intermediate, Activations.read(c, "silu", "hidden_act"),
                new Experts(experts, perToken, intermediate, 0, false, Experts.Scoring.SOFTMAX, true, 1, 1, Experts.GroupScoring.MAX, 1f, false));
        String block = "block_sparse_moe.";
        return MoeShaped.shape(c, name(), d, 1e-5, i -> window, QkNorm.NONE, i -> moe, (b, i) -> {
            MoeShaped.experts(b, d.hidden(), intermediate, experts, block + "experts.", "w1", "w3", "w2");
            b.linear(block + "gate", Role.ROUTER, experts, d.hidden());
            MoeShaped.subsets(b, "post_attention_layernorm", experts, block + "experts.", "w1", "w3", "w2", List.of(block + "gate"), block + "gate");
        });
    }
}
