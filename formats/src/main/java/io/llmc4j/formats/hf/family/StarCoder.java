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

/** StarCoder (GPT-BigCode): GPT-2 with one key and value head. */
public final class StarCoder implements Family {

    @Override
    public String name() {
        return "starcoder";
    }

    @Override
    public List<String> architectures() {
        return List.of("GPTBigCodeForCausalLM");
    }

    @Override
    public String quirks() {
        return "learned positions; multi-query; fused q, k, v";
    }

    @Override
    public ModelShape shape(HfConfig c) {
        Dims all = Dims.ofGpt(c);
        boolean multiQuery = c.flagOr(true, "multi_query");
        Dims d = multiQuery ? all.withKvHeads(1) : all;
        c.harmless("num_key_value_heads");
        c.only("scale_attn_weights", true);
        int ffn = c.integerOr(4 * d.hidden(), "n_inner");
        double eps = c.numberOr(1e-5, "layer_norm_epsilon");
        LayerSpec layer = Parts.sequential(d.attention(new NoPosition(), 0, QkNorm.NONE),
                Parts.dense(ffn, Activations.read(c, "gelu_pytorch_tanh", "activation_function"), false));
        List<BlockLayout> blocks = new ArrayList<>();
        for (int i = 0; i < d.layers(); i++) {
            BlockBuilder b = new BlockBuilder(i, "transformer.h." + i);
            if (multiQuery) {
                Fused.thirds(b, "attn.c_attn", d);
            } else {
                Fused.triples(b, "attn.c_attn", d);
            }
            Gpt.rest(b, d, ffn, eps);
            blocks.add(b.build());
        }
        return new ModelShape(Parts.spec(name(), d, Collections.nCopies(d.layers(), layer)), Gpt.ends(c, d, eps), blocks,
                List.of("transformer.", ""), List.of());
    }
}
