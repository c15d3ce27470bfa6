package io.llmc4j.formats.hf.family;

import io.llmc4j.engine.kernel.Activation;
import io.llmc4j.engine.model.AttentionSpec.QkNorm;
import io.llmc4j.engine.model.AttentionSpec.Rotary;
import io.llmc4j.engine.model.LayerSpec;
import io.llmc4j.engine.model.NormSlot;
import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.model.RopeScaling;
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

/** ChatGLM 2 and 3 and GLM-4-9B in its own code. */
public final class ChatGlm implements Family {

    @Override
    public String name() {
        return "chatglm";
    }

    @Override
    public List<String> architectures() {
        return List.of("ChatGLMModel", "ChatGLMForConditionalGeneration");
    }

    @Override
    public String quirks() {
        return "interleaved half rotary; grouped queries; fused gate, up";
    }

    @Override
    public ModelShape shape(HfConfig c) {
        int hidden = c.integer("hidden_size");
        int heads = c.integer("num_attention_heads");
        int headDim = c.integerOr(hidden / heads, "kv_channels");
        boolean grouped = c.flagOr(false, "multi_query_attention");
        int groups = c.integerOr(1, "multi_query_group_num");
        Dims d = new Dims(hidden, c.integer("num_layers", "num_hidden_layers"), heads, grouped ? groups : heads, headDim,
                c.integer("padded_vocab_size", "vocab_size"),
                c.integerOr(2048, "seq_length")).check(c);
        int ffn = c.integer("ffn_hidden_size");
        double eps = c.numberOr(1e-5, "layernorm_epsilon");
        c.only("rmsnorm", true);
        c.only("apply_residual_connection_post_layernorm", false);
        c.only("post_layer_norm", true);
        c.only("original_rope", true);
        // Query-key layer scaling divides and multiplies by the same number; prefix tuning is another model's.
        c.harmless("add_bias_linear", "add_qkv_bias", "apply_query_key_layer_scaling", "classifier_dropout", "fp32_residual_connection",
                "quantization_bit",
                "vocab_size", "padded_vocab_size", "num_hidden_layers", "pre_seq_len", "prefix_projection", "interleaved_qkv", "kv_channels");
        double base = 10000 * c.numberOr(1, "rope_ratio");
        Rotary rotary = new Rotary(headDim / 2, true, new RopeScaling.Plain(base));
        LayerSpec layer = Parts.sequential(d.attention(rotary, 0, QkNorm.NONE), Parts.dense(ffn, Activation.SILU, true));
        List<BlockLayout> blocks = new ArrayList<>();
        for (int i = 0; i < d.layers(); i++) {
            BlockBuilder b = new BlockBuilder(i, "transformer.encoder.layers." + i);
            String qkv = "self_attention.query_key_value";
            if (grouped) {
                Fused.thirds(b, qkv, d);
            } else {
                Fused.triples(b, qkv, d);
            }
            b.linear("self_attention.dense", Role.O, hidden, d.queries());
            Fused.gateUp(b, "mlp.dense_h_to_4h", hidden, ffn);
            b.linear("mlp.dense_4h_to_h", Role.DOWN, hidden, ffn);
            b.rms(NormSlot.ATTENTION_INPUT, "input_layernorm", hidden, eps).rms(NormSlot.MLP_INPUT, "post_attention_layernorm", hidden, eps);
            Fused.attentionSubsets(b, "input_layernorm", qkv, "self_attention.dense");
            Fused.gateUpSubsets(b, "post_attention_layernorm", "mlp.dense_h_to_4h", "mlp.dense_4h_to_h");
            blocks.add(b.build());
        }
        EndsLayout ends = EndsLayout.of("transformer.embedding.word_embeddings.weight", Parts.rms("transformer.encoder.final_layernorm", hidden, eps),
                "transformer.output_layer.weight", Parts.tied(c, false));
        return new ModelShape(Parts.spec(name(), d, Collections.nCopies(d.layers(), layer)), ends, blocks, List.of("transformer."),
                List.of(new Carried("transformer.rotary_pos_emb.", "a buffer that loaders compute"),
                        new Carried("transformer.vision.", "not part of the text model")));
    }
}
