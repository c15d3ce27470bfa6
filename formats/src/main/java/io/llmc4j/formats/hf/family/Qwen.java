package io.llmc4j.formats.hf.family;

import io.llmc4j.engine.kernel.Activation;
import io.llmc4j.engine.model.AttentionSpec;
import io.llmc4j.engine.model.AttentionSpec.QkNorm;
import io.llmc4j.engine.model.AttentionSpec.Rotary;
import io.llmc4j.engine.model.LayerSpec;
import io.llmc4j.engine.model.NormSlot;
import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.model.RopeScaling;
import io.llmc4j.engine.model.Subset;
import io.llmc4j.formats.hf.BlockBuilder;
import io.llmc4j.formats.hf.BlockLayout;
import io.llmc4j.formats.hf.EndsLayout;
import io.llmc4j.formats.hf.Family;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.ModelShape;
import io.llmc4j.formats.hf.ModelShape.Carried;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;

/** Qwen, first version. The gate is w2; w1 is the linear branch; intermediate_size counts both. */
public final class Qwen implements Family {

    @Override
    public String name() {
        return "qwen";
    }

    @Override
    public List<String> architectures() {
        return List.of("QWenLMHeadModel");
    }

    @Override
    public String quirks() {
        return "fused thirds; log-n attention and dynamic NTK past the trained length";
    }

    @Override
    public ModelShape shape(HfConfig c) {
        int hidden = c.integer("hidden_size");
        int heads = c.integer("num_attention_heads");
        Dims d = new Dims(hidden, c.integer("num_hidden_layers"), heads, heads, c.integerOr(hidden / heads, "kv_channels"), c.integer("vocab_size"),
                c.integerOr(8192, "max_position_embeddings", "seq_length")).check(c);
        int trained = c.integerOr(2048, "seq_length");
        int ffn = c.integer("intermediate_size") / 2;
        if (ffn < 1) {
            throw c.wrong("intermediate_size", Integer.toString(c.integer("intermediate_size")), "integers above 1, for gate and linear branch together");
        }
        double eps = c.numberOr(1e-6, "layer_norm_epsilon");
        double base = c.numberOr(10000, "rotary_emb_base");
        c.only("scale_attn_weights", true);
        c.harmless("no_bias");
        if (c.numberOr(1, "rotary_pct") != 1) {
            throw c.wrong("rotary_pct", Double.toString(c.numberOr(1, "rotary_pct")), "1.0");
        }
        RopeScaling scaling = c.flagOr(true, "use_dynamic_ntk") ? new RopeScaling.QwenDynamic(base, trained) : new RopeScaling.Plain(base);
        AttentionSpec attention = new AttentionSpec(heads, heads, d.headDim(), d.headDim(), Dims.rootScale(d.headDim()),
                new Rotary(d.headDim(), false, scaling), 0, 0f,
                QkNorm.NONE, false, Optional.empty(), c.flagOr(true, "use_logn_attn") ? trained : 0);
        LayerSpec layer = Parts.sequential(attention, Parts.dense(ffn, Activation.SILU, true));
        List<BlockLayout> blocks = new ArrayList<>();
        for (int i = 0; i < d.layers(); i++) {
            BlockBuilder b = new BlockBuilder(i, "transformer.h." + i);
            Fused.thirds(b, "attn.c_attn", d);
            b.linear("attn.c_proj", Role.O, hidden, d.queries());
            b.linear("mlp.w1", Role.UP, ffn, hidden).linear("mlp.w2", Role.GATE, ffn, hidden).linear("mlp.c_proj", Role.DOWN, hidden, ffn);
            b.rms(NormSlot.ATTENTION_INPUT, "ln_1", hidden, eps).rms(NormSlot.MLP_INPUT, "ln_2", hidden, eps);
            Fused.attentionSubsets(b, "ln_1", "attn.c_attn", "attn.c_proj");
            b.afterNorm("ln_2", Subset.Inspect.MLP, true, "mlp.w1", "mlp.w2").afterLinear("mlp.w1", true, "mlp.c_proj");
            blocks.add(b.build());
        }
        EndsLayout ends = EndsLayout.of("transformer.wte.weight", Parts.rms("transformer.ln_f", hidden, eps), "lm_head.weight", Parts.tied(c, false));
        return new ModelShape(Parts.spec(name(), d, Collections.nCopies(d.layers(), layer)), ends, blocks, List.of("transformer."),
                List.of(new Carried("transformer.rotary_emb.", "a buffer that loaders compute"),
                        new Carried("transformer.visual.", "not part of the text model")));
    }
}
