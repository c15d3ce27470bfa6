package io.llmc4j.formats.hf.family;

import io.llmc4j.engine.kernel.Activation;
import io.llmc4j.engine.model.AttentionSpec.Alibi;
import io.llmc4j.engine.model.AttentionSpec.QkNorm;
import io.llmc4j.engine.model.LayerSpec;
import io.llmc4j.engine.model.NormSlot;
import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.model.Subset;
import io.llmc4j.formats.hf.BlockBuilder;
import io.llmc4j.formats.hf.BlockLayout;
import io.llmc4j.formats.hf.EndsLayout;
import io.llmc4j.formats.hf.Family;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.ModelShape;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** BLOOM: ALiBi, a norm on the embedding, biases everywhere, q/k/v as head-major triples. */
public final class Bloom implements Family {

    @Override
    public String name() {
        return "bloom";
    }

    @Override
    public List<String> architectures() {
        return List.of("BloomForCausalLM", "BloomModel");
    }

    @Override
    public String quirks() {
        return "ALiBi; embedding norm; q, k, v head by head in one tensor";
    }

    @Override
    public String without() {
        return "QuaRot, SpinQuant (a norm with weights on the embeddings)";
    }

    @Override
    public ModelShape shape(HfConfig c) {
        int hidden = c.integer("hidden_size", "n_embed");
        int heads = c.integer("n_head", "num_attention_heads");
        int layerCount = c.integer("n_layer", "num_hidden_layers");
        Dims d = new Dims(hidden, layerCount, heads, heads, hidden / heads, c.integer("vocab_size"), c.integerOr(2048, "seq_length")).check(c);
        double eps = c.numberOr(1e-5, "layer_norm_epsilon");
        c.only("apply_residual_connection_post_layernorm", false);
        c.harmless("n_inner", "hidden_size", "n_embed", "num_attention_heads");
        LayerSpec layer = Parts.sequential(d.attention(new Alibi(1f), 0, QkNorm.NONE), Parts.dense(4 * hidden, Activation.GELU_TANH, false));
        List<BlockLayout> blocks = new ArrayList<>();
        for (int i = 0; i < layerCount; i++) {
            BlockBuilder b = new BlockBuilder(i, "transformer.h." + i);
            Fused.triples(b, "self_attention.query_key_value", d);
            b.linear("self_attention.dense", Role.O, hidden, hidden);
            b.linear("mlp.dense_h_to_4h", Role.UP, 4 * hidden, hidden).linear("mlp.dense_4h_to_h", Role.DOWN, hidden, 4 * hidden);
            b.layerNorm(NormSlot.ATTENTION_INPUT, "input_layernorm", hidden, eps)
                    .layerNorm(NormSlot.MLP_INPUT, "post_attention_layernorm", hidden, eps);
            Fused.attentionSubsets(b, "input_layernorm", "self_attention.query_key_value", "self_attention.dense");
            b.afterNorm("post_attention_layernorm", Subset.Inspect.LINEAR, true, "mlp.dense_h_to_4h")
                    .alone(Subset.Inspect.LINEAR, true, "mlp.dense_4h_to_h");
            blocks.add(b.build());
        }
        EndsLayout ends = EndsLayout.of("transformer.word_embeddings.weight", Parts.layerNorm("transformer.ln_f", hidden, eps), "lm_head.weight",
                Parts.tied(c, true))
                .withEmbeddingNorm(Parts.layerNorm("transformer.word_embeddings_layernorm", hidden, eps));
        return new ModelShape(Parts.spec(name(), d, Collections.nCopies(layerCount, layer)), ends, blocks, List.of("transformer.", ""), List.of());
    }
}
