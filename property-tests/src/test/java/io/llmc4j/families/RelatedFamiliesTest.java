package io.llmc4j.families;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.safetensors.SafetensorsFile;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import io.llmc4j.formats.export.gguf.GgufModel;
import io.llmc4j.formats.export.gguf.GgufSink;
import io.llmc4j.formats.export.gguf.GgufTarget;
import io.llmc4j.formats.export.gguf.imatrix.ImportanceMatrix;
import io.llmc4j.formats.export.gguf.mix.FileType;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.HfModel;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Families that transformers itself does not have (their code comes with the checkpoint): the weights of a sibling with reference logits, put
 * into their names and layouts by their published definitions, must give the sibling's logits.
 */
class RelatedFamiliesTest {

    @TempDir
    Path dir;

    private static final String QWEN = """
            {"architectures": ["QWenLMHeadModel"], "hidden_size": 64, "intermediate_size": 192, "num_attention_heads": 4, "kv_channels": 16,
             "num_hidden_layers": 2, "vocab_size": 256, "max_position_embeddings": 8192, "seq_length": %d, "layer_norm_epsilon": 1e-6,
             "rotary_emb_base": 10000, "rotary_pct": 1.0, "use_dynamic_ntk": true, "use_logn_attn": true, "no_bias": true,
             "scale_attn_weights": true, "tie_word_embeddings": false}""";

    private final Arena arena = Arena.ofAuto();
    private final Map<String, Tensor> out = new LinkedHashMap<>();

    private Tensor tensor(Matrix m) {
        return Tensors.fromMatrix(DType.F32, m, arena);
    }

    private Tensor vector(float[] v) {
        return Tensors.fromFloats(DType.F32, new Shape(v.length), v, arena);
    }

    private static Matrix matrix(SafetensorsFile f, String name) {
        return Tensors.toMatrix(f.tensor(name));
    }

    private static float[] values(SafetensorsFile f, String name) {
        return Tensors.toFloats(f.tensor(name));
    }

    private static Matrix stack(Matrix... parts) {
        int rows = 0;
        for (Matrix p : parts) {
            rows += p.rows();
        }
        Matrix all = new Matrix(rows, parts[0].cols());
        int at = 0;
        for (Matrix p : parts) {
            System.arraycopy(p.data(), 0, all.data(), at, p.data().length);
            at += p.data().length;
        }
        return all;
    }

    private static Matrix column(float[] v) {
        return new Matrix(v.length, 1, v);
    }

    private void holds(String config, String sibling) {
        try (HfModel m = HfModel.of(HfConfig.parse(config, "config.json"), FamilyModels.store(out))) {
            double d = FamilyModels.difference(FamilyModels.reference(sibling, "logits"), FamilyModels.logits(m, FamilyModels.ids(sibling)));
            System.out.printf("family %-26s %-12s logits differ by %.1e of the largest (weights of %s)%n", m.spec().family(), m.spec().family(), d, sibling);
            assertTrue(d < 1e-4, "differs by " + d);
            assertEquals(out.size(), m.account().size());
            if (!sibling.equals("qwen-long")) {
                throughGguf(m, sibling);
            }
        }
    }

    /** llama.cpp knows these families too (not Qwen's scaling past the trained length); what is written for it says the same. */
    private void throughGguf(HfModel m, String sibling) {
        GgufTarget target = new GgufTarget(dir, m.spec().family(), FileType.F32, ImportanceMatrix.NONE, 0, Optional.empty());
        GgufSink.write(m, target);
        try (GgufModel g = GgufModel.open(target.file())) {
            double d = FamilyModels.difference(FamilyModels.reference(sibling, "logits"), FamilyModels.logits(g, FamilyModels.ids(sibling)));
            assertTrue(d < 1e-4, "through GGUF it differs by " + d);
        }
    }

    /** wqkv has, for each key head, its query heads, the key, the value. */
    @Test
    void internLm2HoldsLlamaInGroups() {
        try (SafetensorsFile f = FamilyModels.weights("llama-rope-yarn")) {
            out.put("model.tok_embeddings.weight", f.tensor("model.embed_tokens.weight"));
            out.put("model.norm.weight", f.tensor("model.norm.weight"));
            out.put("output.weight", f.tensor("lm_head.weight"));
            for (int i = 0; i < 2; i++) {
                String from = "model.layers." + i + ".";
                Matrix q = matrix(f, from + "self_attn.q_proj.weight");
                Matrix k = matrix(f, from + "self_attn.k_proj.weight");
                Matrix v = matrix(f, from + "self_attn.v_proj.weight");
                Matrix[] groups = new Matrix[12];
                for (int h = 0; h < 4; h++) {
                    groups[3 * h] = q.rows(16 * h, 16 * h + 16);
                    groups[3 * h + 1] = k.rows(16 * h, 16 * h + 16);
                    groups[3 * h + 2] = v.rows(16 * h, 16 * h + 16);
                }
                out.put(from + "attention.wqkv.weight", tensor(stack(groups)));
                out.put(from + "attention.wo.weight", f.tensor(from + "self_attn.o_proj.weight"));
                out.put(from + "feed_forward.w1.weight", f.tensor(from + "mlp.gate_proj.weight"));
                out.put(from + "feed_forward.w3.weight", f.tensor(from + "mlp.up_proj.weight"));
                out.put(from + "feed_forward.w2.weight", f.tensor(from + "mlp.down_proj.weight"));
                out.put(from + "attention_norm.weight", f.tensor(from + "input_layernorm.weight"));
                out.put(from + "ffn_norm.weight", f.tensor(from + "post_attention_layernorm.weight"));
            }
            holds("""
                    {"architectures": ["InternLM2ForCausalLM"], "hidden_size": 64, "intermediate_size": 96, "num_attention_heads": 4, "num_key_value_heads": 4,
                     "num_hidden_layers": 2, "vocab_size": 256, "max_position_embeddings": 128, "rms_norm_eps": 1e-6, "rope_theta": 10000, "bias": false,
                     "hidden_act": "silu", "attn_implementation": "eager", "tie_word_embeddings": false,
                     "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}}""", "llama-rope-yarn");
        }
    }

    /** Queries, keys, values in turn; gate before up; half of the head rotates in interleaved pairs, as in GLM's own class. */
    @Test
    void chatGlmHoldsGlm() {
        try (SafetensorsFile f = FamilyModels.weights("glm")) {
            out.put("transformer.embedding.word_embeddings.weight", f.tensor("model.embed_tokens.weight"));
            out.put("transformer.encoder.final_layernorm.weight", f.tensor("model.norm.weight"));
            out.put("transformer.output_layer.weight", f.tensor("lm_head.weight"));
            out.put("transformer.rotary_pos_emb.inv_freq", vector(new float[4]));
            for (int i = 0; i < 2; i++) {
                String from = "model.layers." + i + ".";
                String to = "transformer.encoder.layers." + i + ".";
                out.put(to + "self_attention.query_key_value.weight", tensor(stack(matrix(f, from + "self_attn.q_proj.weight"),
                        matrix(f, from + "self_attn.k_proj.weight"), matrix(f, from + "self_attn.v_proj.weight"))));
                out.put(to + "self_attention.query_key_value.bias", vector(stack(column(values(f, from + "self_attn.q_proj.bias")),
                        column(values(f, from + "self_attn.k_proj.bias")), column(values(f, from + "self_attn.v_proj.bias"))).data()));
                out.put(to + "self_attention.dense.weight", f.tensor(from + "self_attn.o_proj.weight"));
                out.put(to + "mlp.dense_h_to_4h.weight", f.tensor(from + "mlp.gate_up_proj.weight"));
                out.put(to + "mlp.dense_4h_to_h.weight", f.tensor(from + "mlp.down_proj.weight"));
                out.put(to + "input_layernorm.weight", f.tensor(from + "input_layernorm.weight"));
                out.put(to + "post_attention_layernorm.weight", f.tensor(from + "post_attention_layernorm.weight"));
            }
            holds("""
                    {"architectures": ["ChatGLMModel"], "hidden_size": 64, "ffn_hidden_size": 96, "num_attention_heads": 4, "kv_channels": 16, "num_layers": 2,
                     "multi_query_attention": true, "multi_query_group_num": 2, "padded_vocab_size": 256, "seq_length": 128, "layernorm_epsilon": 1.5625e-7,
                     "add_qkv_bias": true, "add_bias_linear": false, "rmsnorm": true, "post_layer_norm": true, "original_rope": true,
                     "apply_residual_connection_post_layernorm": false, "apply_query_key_layer_scaling": true, "tie_word_embeddings": false}""", "glm");
        }
    }

    /** Granite's multipliers by MiniCPM's names; its attention multiplier moves into the queries. */
    @Test
    void miniCpmHoldsGranite() {
        try (SafetensorsFile f = FamilyModels.weights("granite")) {
            for (String n : f.names()) {
                Matrix m = matrix(f, n);
                if (n.endsWith("q_proj.weight")) {
                    for (int i = 0; i < m.data().length; i++) {
                        m.data()[i] *= 0.02f / 0.25f;
                    }
                }
                out.put(n, m.rows() == 1 ? vector(m.data()) : tensor(m));
            }
            holds("""
                    {"architectures": ["MiniCPMForCausalLM"], "hidden_size": 64, "intermediate_size": 96, "num_attention_heads": 4, "num_key_value_heads": 2,
                     "num_hidden_layers": 2, "vocab_size": 256, "max_position_embeddings": 128, "rms_norm_eps": 1e-6, "hidden_act": "silu", "scale_emb": 12,
                     "scale_depth": %s, "dim_model_base": 8, "tie_word_embeddings": false}""".formatted(Double.toString(0.22 * Math.sqrt(2))), "granite");
        }
    }

    /** Thirds of all heads, w2 as the gate, twice the width in the config. Key heads of the sibling, shared by two, are written out. */
    @Test
    void qwenHoldsQwen2() {
        qwen(2048, "qwen2");
    }

    /** Past the trained length: a larger base, and queries that grow with log-n (reference: transformers' Qwen2 with both put in). */
    @Test
    void qwenPastItsTrainedLength() {
        qwen(16, "qwen-long");
    }

    private void qwen(int trainedLength, String reference) {
        try (SafetensorsFile f = FamilyModels.weights("qwen2")) {
            out.put("transformer.wte.weight", f.tensor("model.embed_tokens.weight"));
            out.put("transformer.ln_f.weight", f.tensor("model.norm.weight"));
            out.put("lm_head.weight", f.tensor("model.embed_tokens.weight"));
            for (int i = 0; i < 2; i++) {
                String from = "model.layers." + i + ".";
                String to = "transformer.h." + i + ".";
                out.put(to + "attn.c_attn.weight", tensor(stack(matrix(f, from + "self_attn.q_proj.weight"),
                        twice(matrix(f, from + "self_attn.k_proj.weight")), twice(matrix(f, from + "self_attn.v_proj.weight")))));
                out.put(to + "attn.c_attn.bias", vector(stack(column(values(f, from + "self_attn.q_proj.bias")),
                        twice(column(values(f, from + "self_attn.k_proj.bias"))), twice(column(values(f, from + "self_attn.v_proj.bias")))).data()));
                out.put(to + "attn.c_proj.weight", f.tensor(from + "self_attn.o_proj.weight"));
                out.put(to + "mlp.w1.weight", f.tensor(from + "mlp.up_proj.weight"));
                out.put(to + "mlp.w2.weight", f.tensor(from + "mlp.gate_proj.weight"));
                out.put(to + "mlp.c_proj.weight", f.tensor(from + "mlp.down_proj.weight"));
                out.put(to + "ln_1.weight", f.tensor(from + "input_layernorm.weight"));
                out.put(to + "ln_2.weight", f.tensor(from + "post_attention_layernorm.weight"));
            }
            holds(QWEN.formatted(trainedLength), reference);
        }
    }

    private static Matrix twice(Matrix twoHeads) {
        int half = twoHeads.rows() / 2;
        Matrix a = twoHeads.rows(0, half);
        Matrix b = twoHeads.rows(half, 2 * half);
        return stack(a, a, b, b);
    }
}
