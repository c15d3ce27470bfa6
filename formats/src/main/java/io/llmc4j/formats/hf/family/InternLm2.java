package io.llmc4j.formats.hf.family;

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
import java.util.Optional;

/** InternLM 2 and 2.5. */
public final class InternLm2 implements Family {

    @Override
    public String name() {
        return "internlm2";
    }

    @Override
    public List<String> architectures() {
        return List.of("InternLM2ForCausalLM");
    }

    @Override
    public String quirks() {
        return "q, k, v in groups in one tensor; head named output";
    }

    @Override
    public ModelShape shape(HfConfig c) {
        Dims d = Dims.of(c);
        int intermediate = c.integer("intermediate_size");
        double eps = c.numberOr(1e-6, "rms_norm_eps");
        c.harmless("bias", "attn_implementation");
        Rotary rotary = new Rotary(d.headDim(), false, Rope.of(c).scaling(d.headDim(), 10000, d.context()));
        LayerSpec layer = Parts.sequential(d.attention(rotary, 0, QkNorm.NONE),
                Parts.dense(intermediate, Activations.read(c, "silu", "hidden_act"), true));
        List<BlockLayout> blocks = new ArrayList<>();
        for (int i = 0; i < d.layers(); i++) {
            BlockBuilder b = new BlockBuilder(i, "model.layers." + i);
            Fused.groups(b, "attention.wqkv", d);
            b.linear("attention.wo", Role.O, d.hidden(), d.queries());
            b.linear("feed_forward.w1", Role.GATE, intermediate, d.hidden()).linear("feed_forward.w3", Role.UP, intermediate, d.hidden())
                    .linear("feed_forward.w2", Role.DOWN, d.hidden(), intermediate);
            b.rms(NormSlot.ATTENTION_INPUT, "attention_norm", d.hidden(), eps).rms(NormSlot.MLP_INPUT, "ffn_norm", d.hidden(), eps);
            b.buffer("attention.rotary_emb.inv_freq");
            Fused.attentionSubsets(b, "attention_norm", "attention.wqkv", "attention.wo");
            b.subset(new Subset(List.of("feed_forward.w3", "feed_forward.w1"), Optional.of(new Subset.PreviousNorm("ffn_norm")), Subset.Inspect.MLP,
                    true, true, true,
                    "feed_forward.w1"));
            b.afterLinear("feed_forward.w3", true, "feed_forward.w2");
            blocks.add(b.build());
        }
        EndsLayout ends = EndsLayout.of("model.tok_embeddings.weight", Parts.rms("model.norm", d.hidden(), eps), "output.weight",
                Parts.tied(c, false));
        return new ModelShape(Parts.spec(name(), d, Collections.nCopies(d.layers(), layer)), ends, blocks, Parts.MODEL_ROOTS, List.of());
    }
}
