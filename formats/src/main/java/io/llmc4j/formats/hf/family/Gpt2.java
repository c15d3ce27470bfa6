package io.llmc4j.formats.hf.family;

import io.llmc4j.engine.model.AttentionSpec.NoPosition;
import io.llmc4j.engine.model.AttentionSpec.QkNorm;
import io.llmc4j.engine.model.LayerSpec;
import io.llmc4j.formats.hf.Activations;
import io.llmc4j.formats.hf.BlockBuilder;
import io.llmc4j.formats.hf.BlockLayout;
import io.llmc4j.formats.hf.Family;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.ModelShape;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** GPT-2. */
public final class Gpt2 implements Family {

    @Override
    public String name() {
        return "gpt2";
    }

    @Override
    public List<String> architectures() {
        return List.of("GPT2LMHeadModel", "GPT2Model");
    }

    @Override
    public String quirks() {
        return "learned positions; weights stored [in, out]; fused thirds";
    }

    @Override
    public ModelShape shape(HfConfig c) {
        Dims d = Dims.ofGpt(c);
        c.only("scale_attn_weights", true);
        c.only("scale_attn_by_inverse_layer_idx", false);
        c.harmless("reorder_and_upcast_attn", "n_ctx");
        int ffn = c.integerOr(4 * d.hidden(), "n_inner");
        double eps = c.numberOr(1e-5, "layer_norm_epsilon");
        LayerSpec layer = Parts.sequential(d.attention(new NoPosition(), 0, QkNorm.NONE),
                Parts.dense(ffn, Activations.read(c, "gelu_new", "activation_function"), false));
        List<BlockLayout> blocks = new ArrayList<>();
        for (int i = 0; i < d.layers(); i++) {
            BlockBuilder b = new BlockBuilder(i, "transformer.h." + i).inputMajor();
            Fused.thirds(b, "attn.c_attn", d);
            Gpt.rest(b, d, ffn, eps);
            blocks.add(b.build());
        }
        return new ModelShape(Parts.spec(name(), d, Collections.nCopies(d.layers(), layer)), Gpt.ends(c, d, eps), blocks,
                List.of("transformer.", ""), List.of());
    }
}
