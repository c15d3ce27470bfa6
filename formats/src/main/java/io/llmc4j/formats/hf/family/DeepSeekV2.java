package io.llmc4j.formats.hf.family;

import io.llmc4j.engine.model.FeedForwardSpec.Experts;
import io.llmc4j.formats.hf.Family;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.ModelShape;
import java.util.List;

/** DeepSeek V2 and V2-Lite. */
public final class DeepSeekV2 implements Family {

    @Override
    public String name() {
        return "deepseek_v2";
    }

    @Override
    public List<String> architectures() {
        return List.of("DeepseekV2ForCausalLM");
    }

    @Override
    public String quirks() {
        return "latent attention; experts chosen by group";
    }

    @Override
    public ModelShape shape(HfConfig c) {
        boolean normalize = c.flagOr(false, "norm_topk_prob");
        String method = c.text("topk_method").orElse("greedy");
        if (!method.equals("greedy") && !method.equals("group_limited_greedy")) {
            throw c.wrong("topk_method", method, "greedy, group_limited_greedy");
        }
        c.text("scoring_func").filter(s -> !s.equals("softmax")).ifPresent(s -> {
            throw c.wrong("scoring_func", s, "softmax");
        });
        boolean groups = method.equals("group_limited_greedy");
        int each = c.integer("moe_intermediate_size");
        // A renormalised choice is not scaled as well.
        float scaling = normalize ? 1f : (float) c.numberOr(1, "routed_scaling_factor");
        Experts experts = new Experts(c.integer("n_routed_experts"), c.integer("num_experts_per_tok"), each,
                c.integerOr(0, "n_shared_experts") * each, false,
                Experts.Scoring.SOFTMAX, normalize, groups ? c.integer("n_group") : 1, groups ? c.integer("topk_group") : 1,
                        Experts.GroupScoring.MAX, scaling, false);
        c.harmless("n_group", "topk_group", "routed_scaling_factor");
        return DeepSeekShaped.shape(c, name(), experts);
    }
}
