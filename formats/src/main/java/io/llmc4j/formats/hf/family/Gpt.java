package io.llmc4j.formats.hf.family;

import io.llmc4j.engine.model.NormSlot;
import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.model.Subset;
import io.llmc4j.formats.hf.BlockBuilder;
import io.llmc4j.formats.hf.EndsLayout;
import io.llmc4j.formats.hf.HfConfig;

/** What GPT-2 and StarCoder share besides their fused attention tensor. */
final class Gpt {

    private Gpt() {
    }

    /** Everything of a block but attn.c_attn. */
    static void rest(BlockBuilder b, Dims d, int ffn, double eps) {
        b.linear("attn.c_proj", Role.O, d.hidden(), d.queries());
        b.linear("mlp.c_fc", Role.UP, ffn, d.hidden()).linear("mlp.c_proj", Role.DOWN, d.hidden(), ffn);
        b.layerNorm(NormSlot.ATTENTION_INPUT, "ln_1", d.hidden(), eps).layerNorm(NormSlot.MLP_INPUT, "ln_2", d.hidden(), eps);
        b.buffer("attn.bias", "attn.masked_bias");
        Fused.attentionSubsets(b, "ln_1", "attn.c_attn", "attn.c_proj");
        b.afterNorm("ln_2", Subset.Inspect.LINEAR, true, "mlp.c_fc").alone(Subset.Inspect.LINEAR, true, "mlp.c_proj");
    }

    static EndsLayout ends(HfConfig c, Dims d, double eps) {
        return EndsLayout.of("transformer.wte.weight", Parts.layerNorm("transformer.ln_f", d.hidden(), eps), "lm_head.weight", Parts.tied(c, true))
                .withPositions("transformer.wpe.weight");
    }
}
