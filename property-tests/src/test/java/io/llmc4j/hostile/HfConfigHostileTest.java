package io.llmc4j.hostile;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.safetensors.SafetensorsFile;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import io.llmc4j.families.FamilyModels;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.formats.hf.ModelShape;
import io.llmc4j.formats.hf.TensorFate;
import java.lang.foreign.Arena;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** A config or checkpoint that asks for something else than we compute is refused, and the error names the field or tensor. */
class HfConfigHostileTest {

    private static final ObjectMapper JSON = new ObjectMapper();

    private static HfConfig edited(String variant, Consumer<ObjectNode> edit) {
        ObjectNode node = FamilyModels.config(variant).json().deepCopy();
        edit.accept(node);
        return HfConfig.parse(node.toString(), "config.json");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "qwen3|architectures|[\"MambaForCausalLM\"]|MambaForCausalLM",
        "qwen3|architectures|[]|architectures",
        "qwen3|hidden_act|\"snake\"|hidden_act",
        "qwen3|rope_scaling|{\"rope_type\":\"spiral\"}|spiral",
        "qwen3|rope_scaling|{\"rope_type\":\"linear\"}|factor",
        "qwen3|rope_scaling|{\"rope_type\":\"linear\",\"factor\":2,\"wobble\":3}|wobble",
        "qwen3|use_memory_attention|true|use_memory_attention",
        "qwen3|hidden_size|\"64\"|hidden_size",
        "qwen3|hidden_size|64.5|hidden_size",
        "qwen3|hidden_size|null|hidden_size",
        "qwen3|num_key_value_heads|3|num_key_value_heads",
        "phi3|intermediate_size|0|intermediate_size",
        "qwen2-moe|decoder_sparse_step|0|decoder_sparse_step",
        "deepseek-v2|moe_layer_freq|0|moe_layer_freq",
        "smollm3|no_rope_layer_interval|0|no_rope_layer_interval",
        "qwen|intermediate_size|1|intermediate_size",
        "llama-rope-yarn|num_hidden_layers|0|num_hidden_layers",
        "qwen3|num_hidden_layers|99999999999|num_hidden_layers",
        "qwen3|tie_word_embeddings|\"yes\"|tie_word_embeddings",
        "gemma2|layer_types|[\"sliding_attention\",\"chunked_attention\"]|chunked_attention",
        "gemma2|layer_types|[\"sliding_attention\"]|layer_types",
        "bloom-12heads|apply_residual_connection_post_layernorm|true|apply_residual_connection_post_layernorm",
        "gpt2|scale_attn_by_inverse_layer_idx|true|scale_attn_by_inverse_layer_idx",
        "smollm3|no_rope_layers|[0,1]|no_rope_layers",
        "deepseek-v2|n_routed_experts|0|mlp.gate of block 1",
        "deepseek-v2|topk_method|\"lottery\"|lottery",
        "deepseek-v3|scoring_func|\"softmax\"|scoring_func",
        "phi3-longrope|rope_scaling|{\"type\":\"longrope\",\"short_factor\":[1.0],\"long_factor\":[1.0]}|short_factor"})
    void configFieldsAreNamed(String variant, String field, String value, String named) throws Exception {
        Object parsed = JSON.readTree(value);
        BadInput e = assertThrows(BadInput.class, () -> ModelShape.of(edited(variant, n -> n.set(field, (com.fasterxml.jackson.databind.JsonNode) parsed))));
        assertTrue(e.getMessage().contains(named), e.getMessage());
    }

    static List<String> variants() {
        return FamilyModels.VARIANTS;
    }

    /** The same questions to every family; the named fields are those that no family of the list understands. */
    @ParameterizedTest
    @MethodSource("variants")
    void everyFamilyNamesWhatItDoesNotCompute(String variant) throws Exception {
        Map<String, String> asked = new LinkedHashMap<>();
        for (String f : List.of("hidden_act", "hidden_activation", "activation_function", "activation")) {
            boolean other = f.equals("hidden_act") && (FamilyModels.config(variant).has("hidden_activation") || variant.equals("gpt-oss"));
            if (FamilyModels.config(variant).has(f) && !other) {
                asked.put(f, "\"snake\"");
            }
        }
        asked.put(FamilyModels.config(variant).has("rope_parameters") ? "rope_parameters" : "rope_scaling", "{\"rope_type\": \"spiral\", \"factor\": 2.0}");
        asked.put("is_causal", "false");
        asked.put("use_bidirectional_attention", "true");
        asked.put("attn_output_gate", "true");
        asked.put("attention_chunk_size", "16");
        asked.put("clip_qkv", "8.0");
        asked.put("layer_types", "[\"linear_attention\", \"full_attention\"]");
        asked.put("mamba_d_state", "16");
        asked.put("head_wise_gate", "\"on\"");
        asked.put("use_lora", "true");
        asked.put("num_nextn_heads", "1");
        for (Map.Entry<String, String> a : asked.entrySet()) {
            com.fasterxml.jackson.databind.JsonNode value = JSON.readTree(a.getValue());
            BadInput e = assertThrows(BadInput.class, () -> ModelShape.of(edited(variant, n -> n.set(a.getKey(), value))), variant + " " + a.getKey());
            assertTrue(e.getMessage().contains(a.getKey()) || e.getMessage().contains("spiral"), e.getMessage());
        }
    }

    /** Found by fuzzing: BLOOM's width was divided by it before it was looked at. */
    @Test
    void noHeadsAreRefused() {
        BadInput e = assertThrows(BadInput.class, () -> ModelShape.of(edited("bloom-12heads", n -> n.put("n_head", 0))));
        assertTrue(e.getMessage().contains("n_head"), e.getMessage());
    }

    @Test
    void unknownFieldsThatAreOffAreNothing() {
        ModelShape.of(edited("qwen3", n -> n.put("use_memory_attention", false).putNull("vision").put("some_dropout", 0.1)));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {"''", "'{'", "'[]'", "'{\"a\":1,\"a\":2}'", "'{} {}'", "'nul'"})
    void brokenJsonIsRefused(String text) {
        assertThrows(BadInput.class, () -> HfConfig.parse(text, "config.json"));
    }

    @Test
    void unknownQuantMethodIsNamed() {
        BadInput e = assertThrows(BadInput.class, () -> HfModel.of(edited("qwen3", n -> n.putObject("quantization_config").put("quant_method", "quip")),
                FamilyModels.store(tensors("qwen3"))));
        assertTrue(e.getMessage().contains("quip"), e.getMessage());
    }

    private static Map<String, Tensor> tensors(String variant) {
        SafetensorsFile f = FamilyModels.weights(variant);
        Map<String, Tensor> out = new LinkedHashMap<>();
        f.names().forEach(n -> out.put(n, f.tensor(n)));
        return out;
    }

    private static BadInput refused(String variant, Consumer<Map<String, Tensor>> edit) {
        Map<String, Tensor> t = tensors(variant);
        edit.accept(t);
        return assertThrows(BadInput.class, () -> HfModel.of(FamilyModels.config(variant), FamilyModels.store(t)));
    }

    private static Tensor zeros(long... dims) {
        return Tensor.allocate(DType.F32, new Shape(dims), Arena.ofAuto());
    }

    @Test
    void tensorsAreNamed() {
        assertTrue(refused("qwen3", t -> t.remove("model.layers.1.mlp.up_proj.weight")).getMessage().contains("model.layers.1.mlp.up_proj.weight"));
        assertTrue(refused("qwen3", t -> t.remove("model.embed_tokens.weight")).getMessage().contains("model.embed_tokens.weight"));
        assertTrue(refused("qwen3", t -> t.remove("lm_head.weight")).getMessage().contains("lm_head.weight"));
        BadInput shape = refused("qwen3", t -> t.put("model.layers.0.self_attn.q_proj.weight", zeros(127, 64)));
        assertTrue(shape.getMessage().contains("[127, 64], expected [128, 64]"), shape.getMessage());
        BadInput unknown = refused("qwen3", t -> t.put("model.layers.0.self_attn.gate_proj.weight", zeros(64, 64)));
        assertTrue(unknown.getMessage().contains("model.layers.0.self_attn.gate_proj.weight"), unknown.getMessage());
        BadInput bias = refused("qwen3", t -> t.put("model.layers.0.self_attn.q_proj.bias", zeros(5)));
        assertTrue(bias.getMessage().contains("q_proj.bias"), bias.getMessage());
        BadInput integers = refused("qwen3", t -> t.put("model.layers.0.mlp.up_proj.weight", Tensor.allocate(DType.I8, new Shape(96, 64), Arena.ofAuto())));
        assertTrue(integers.getMessage().contains("quantization_config"), integers.getMessage());
        BadInput fp8 = refused("qwen3", t -> t.put("model.layers.0.mlp.up_proj.weight", Tensor.allocate(DType.F8_E4M3, new Shape(96, 64), Arena.ofAuto())));
        assertTrue(fp8.getMessage().contains("up_proj"), fp8.getMessage());
    }

    /** A tied head that says something else than the embedding would be read differently by different loaders. */
    @Test
    void tiedHeadMustRepeatTheEmbedding() {
        BadInput e = refused("qwen2", t -> t.put("lm_head.weight", zeros(256, 64)));
        assertTrue(e.getMessage().contains("tie_word_embeddings"), e.getMessage());
        Map<String, Tensor> same = tensors("qwen2");
        same.put("lm_head.weight", same.get("model.embed_tokens.weight"));
        try (HfModel m = HfModel.of(FamilyModels.config("qwen2"), FamilyModels.store(same))) {
            assertEquals(1, m.account().stream().filter(f -> f.fate() == TensorFate.Fate.DROPPED).count());
        }
    }

    /** What does not belong to the text model is carried along, and listed. */
    @Test
    void otherTensorsAreCarried() {
        Map<String, Tensor> wrapped = new LinkedHashMap<>();
        tensors("gemma3-text").forEach((n, t) -> wrapped.put("language_model." + n, t));
        wrapped.put("vision_tower.patch.weight", zeros(3, 3));
        HfConfig c = edited("gemma3-text", n -> {
            ObjectNode text = n.deepCopy();
            text.remove("architectures");
            n.removeAll();
            n.putArray("architectures").add("Gemma3ForConditionalGeneration");
            n.set("text_config", text);
            n.putObject("vision_config").put("hidden_size", 3);
        });
        try (HfModel m = HfModel.of(c, FamilyModels.store(wrapped))) {
            assertEquals("language_model.model.layers.2", m.blockPrefix(2));
            assertEquals(1, m.account().stream().filter(f -> f.fate() == TensorFate.Fate.CARRIED).count());
            int[][] ids = FamilyModels.ids("gemma3-text");
            assertTrue(FamilyModels.difference(FamilyModels.reference("gemma3-text", "logits"), FamilyModels.logits(m, ids)) < 1e-4);
        }
    }

    @Test
    void multiTokenPredictionIsCarried() {
        Map<String, Tensor> t = tensors("deepseek-v3");
        t.put("model.layers.2.eh_proj.weight", zeros(64, 128));
        try (HfModel m = HfModel.of(FamilyModels.config("deepseek-v3-v5"), FamilyModels.store(t))) {
            assertEquals("multi-token prediction", m.account().getLast().note());
        }
        assertThrows(BadInput.class, () -> HfModel.of(FamilyModels.config("deepseek-v3"), FamilyModels.store(t)));
    }

    @Test
    void idsOfAnotherTokenizerAreRefused() {
        try (HfModel m = FamilyModels.open("qwen3")) {
            assertThrows(BadInput.class, () -> FamilyModels.logits(m, new int[][] {{1, 256}}));
        }
        try (HfModel m = FamilyModels.open("opt")) {
            assertThrows(BadInput.class, () -> FamilyModels.logits(m, new int[][] {new int[129]}));
        }
    }

    @Test
    void numbersBeyondAllTensorsAreNoOverflow() {
        assertThrows(BadInput.class, () -> HfModel.of(edited("qwen3", n -> n.put("intermediate_size", 2_000_000_000)), FamilyModels.store(tensors("qwen3"))));
        assertEquals(0, Tensors.toFloats(zeros(0)).length);
    }
}
