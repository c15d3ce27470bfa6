package io.llmc4j.formats.hf.family;

import io.llmc4j.engine.model.FeedForwardSpec.Experts;
import io.llmc4j.formats.hf.Family;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.ModelShape;
import java.util.List;

/** DeepSeek V3 and R1 (and models that use its class). */
public final class DeepSeekV3 implements Family {

    @Override
    public String name() {
        return "deepseek_v3";
    }

    @Override
    public List<String> architectures() {
        return List.of("DeepseekV3ForCausalLM");
    }

    @Override
    public String quirks() {
        return "latent attention; sigmoid scores with correction; FP8 source; MTP tensors carried along";
    }

    @Override
    public ModelShape shape(HfConfig c) {
        c.text("scoring_func").filter(s -> !s.equals("sigmoid")).ifPresent(s -> {
            throw c.wrong("scoring_func", s, "sigmoid");
        });
        c.text("topk_method").filter(s -> !s.equals("noaux_tc")).ifPresent(s -> {
            throw c.wrong("topk_method", s, "noaux_tc");
        });
        int each = c.integer("moe_intermediate_size");
        Experts experts = new Experts(c.integer("n_routed_experts"), c.integer("num_experts_per_tok"), each,
                c.integerOr(0, "n_shared_experts") * each, false,
                Experts.Scoring.SIGMOID, c.flagOr(true, "norm_topk_prob"), c.integerOr(1, "n_group"), c.integerOr(1, "topk_group"),
                Experts.GroupScoring.SUM_OF_TOP_TWO, (float) c.numberOr(1, "routed_scaling_factor"), true);
        return DeepSeekShaped.shape(c, name(), experts);
    }
}
