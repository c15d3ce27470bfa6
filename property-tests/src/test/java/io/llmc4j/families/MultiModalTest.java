package io.llmc4j.families;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.pipeline.BlockFold;
import io.llmc4j.engine.pipeline.ModelSink;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.pipeline.RunListener;
import io.llmc4j.engine.pipeline.SchemePlan;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.safetensors.SafetensorsFile;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.formats.export.Exports;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.formats.hf.ModelShape;
import io.llmc4j.formats.hf.TensorFate;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Models with images or sound: the language part computes what transformers computes for text, is quantized, and the rest keeps its bytes. */
class MultiModalTest {

    @TempDir
    private Path dir;

    @ParameterizedTest
    @ValueSource(strings = {"llava", "llava-next", "llava-onevision", "mistral3", "qwen2-vl", "qwen2.5-vl", "qwen3-vl", "internvl", "smolvlm", "qwen2-audio", "gemma3"})
    void languagePart(String variant) {
        try (HfModel m = FamilyModels.open(variant)) {
            holds(m, variant);
            List<TensorFate> carried = m.account().stream().filter(f -> f.fate() == TensorFate.Fate.CARRIED).toList();
            assertTrue(carried.size() > 5 && carried.stream().noneMatch(f -> f.tensor().contains("embed_tokens")), carried.toString());
            for (String format : List.of("vllm", "fake")) {
                Path out = dir.resolve(format);
                try (ModelSink sink = Exports.open(Exports.named(format), m, out, 1L << 30, false)) {
                    new BlockFold(m, RunConfig.of("RTN", Map.of(), SchemePlan.of(QuantScheme.integer(4, true, Granularity.perGroup(16)))), List.of(sink), RunListener.NONE).run();
                    assertEquals(List.of(), sink.verify());
                }
                try (HfModel written = HfModel.open(out)) {
                    for (TensorFate f : carried) {
                        assertEquals(-1, written.store().get(f.tensor()).bytes().mismatch(m.store().get(f.tensor()).bytes()), f.tensor());
                        boolean linear = f.tensor().endsWith(".weight") && m.store().get(f.tensor()).shape().rank() == 2;
                        if (linear && format.equals("vllm")) {
                            String ignored = written.config().json().at("/quantization_config/ignore").toString();
                            assertTrue(ignored.contains('"' + f.tensor().replaceFirst("\\.weight$", "") + '"'), f.tensor() + " in " + ignored);
                        }
                    }
                }
            }
        }
    }

    private static void holds(HfModel m, String variant) {
        double d = FamilyModels.difference(FamilyModels.reference(variant, "logits"), FamilyModels.logits(m, FamilyModels.ids(variant)));
        System.out.printf("family %-26s %-12s logits differ by %.1e of the largest%n", variant, m.spec().family(), d);
        assertTrue(d < 1e-4, variant + " differs by " + d);
    }

    private static HfConfig config(String variant, String architecture, Consumer<ObjectNode> edit) {
        ObjectNode n = FamilyModels.config(variant).json().deepCopy();
        n.putArray("architectures").add(architecture);
        edit.accept(n);
        return HfConfig.parse(n.toString(), "config.json");
    }

    private static void holds(String variant, HfConfig config, UnaryOperator<String> names) {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        try (SafetensorsFile f = FamilyModels.weights(variant)) {
            f.names().forEach(n -> tensors.put(names.apply(n), f.tensor(n)));
            try (HfModel m = HfModel.of(config, FamilyModels.store(tensors))) {
                holds(m, variant);
            }
        }
    }

    /** The same weights as other checkpoints of the same kind name them. */
    @Test
    void otherLayouts() {
        UnaryOperator<String> inner = n -> n.startsWith("language_model.model.") ? "model.language_model." + n.substring(21)
                : n.startsWith("language_model.") ? n.substring(15) : "model." + n;
        holds("llava", config("llava", "LlavaForConditionalGeneration", n -> { }), inner);
        holds("llava", config("llava", "VideoLlavaForConditionalGeneration", n -> n.put("video_token_index", 1)), n -> n.replaceFirst("^vision_tower", "image_tower"));
        holds("llava", config("llava", "LlavaNextVideoForConditionalGeneration", n -> n.put("spatial_pool_mode", "average")), n -> n);
        holds("smolvlm", config("smolvlm", "Idefics3ForConditionalGeneration", n -> { }), n -> n);
        holds("llava", config("llava", "LlavaLlamaForCausalLM", MultiModalTest::flat), n -> n.startsWith("language_model.") ? n.substring(15)
                : n.startsWith("multi") ? n.replace("multi_modal_projector", "model.mm_projector") : "model." + n);
        holds("internvl", config("internvl", "InternVLChatModel", n -> {
            n.set("llm_config", n.remove("text_config"));
            n.put("template", "internvl2_5").put("use_llm_lora", 0).put("ps_version", "v2");
        }), n -> n.replace("vision_tower.", "vision_model.").replace("multi_modal_projector.", "mlp1."));
        for (String v : List.of("qwen2-vl", "qwen2.5-vl")) {
            holds(v, config(v, v.equals("qwen2-vl") ? "Qwen2VLForConditionalGeneration" : "Qwen2_5_VLForConditionalGeneration", n -> {
                flat(n);
                n.remove("rope_parameters");
                n.put("rope_theta", 1000000.0).putObject("rope_scaling").put("type", "mrope").putArray("mrope_section").add(1).add(1).add(2);
            }), n -> n);
        }
    }

    /** The text's fields beside the tower's, as configs had it before text_config. */
    private static void flat(ObjectNode n) {
        ObjectNode text = (ObjectNode) n.remove("text_config");
        text.properties().forEach(e -> {
            if (!n.has(e.getKey())) {
                n.set(e.getKey(), e.getValue());
            }
        });
    }

    /** LLaVA 1.5's text config says only what differs from its class. */
    @Test
    void fieldsThatSaversLeaveOut() {
        ModelShape s = ModelShape.of(config("llava", "LlavaForConditionalGeneration", n -> n.putObject("text_config").put("model_type", "llama").put("vocab_size", 32064)
                .put("max_position_embeddings", 4096).put("rms_norm_eps", 1e-5).putArray("architectures").add("LlamaForCausalLM")));
        assertEquals(6_738_956_288L, s.parameters(), 2_000_000);
        assertEquals(4096, s.spec().contextLength());
    }

    /** Fields that are said twice are said once; said otherwise the second time, they are refused. */
    @Test
    void fieldsThatSaversRepeat() {
        Consumer<ObjectNode> repeat = n -> n.put("num_hidden_layers", 2).put("rms_norm_eps", 1e-5).put("hidden_act", "silu").put("vocab_size", 128);
        ModelShape.of(config("qwen2-vl", "Qwen2VLForConditionalGeneration", repeat));
        assertTrue(assertThrows(BadInput.class, () -> ModelShape.of(config("qwen2-vl", "Qwen2VLForConditionalGeneration", n -> n.put("num_hidden_layers", 3)))).getMessage()
                .contains("num_hidden_layers"));
        ModelShape.of(config("smolvlm", "SmolVLMForConditionalGeneration", n -> ((ObjectNode) n.get("text_config")).put("is_llama_config", true).put("pixel_shuffle_factor", 4)));
    }

    private static String refused(String architecture, Consumer<ObjectNode> edit) {
        return assertThrows(BadInput.class, () -> ModelShape.of(config("llava", architecture, edit))).getMessage();
    }

    @Test
    void refusedByName() {
        assertTrue(refused("MllamaForConditionalGeneration", n -> { }).contains("MllamaForConditionalGeneration"));
        assertTrue(refused("LlavaForConditionalGeneration", n -> ((ObjectNode) n.get("text_config")).put("model_type", "mamba")).contains("mamba"));
        assertTrue(refused("LlavaForConditionalGeneration", n -> ((ObjectNode) n.get("text_config")).put("hidden_act", "snake")).contains("hidden_act"));
        assertTrue(refused("LlavaForConditionalGeneration", n -> ((ObjectNode) n.get("text_config")).put("cross_attention_layers", 3)).contains("cross_attention_layers"));
        assertTrue(refused("LlavaForConditionalGeneration", n -> n.put("use_text_memory", true)).contains("use_text_memory"));
        assertTrue(refused("InternVLChatModel", n -> n.put("use_llm_lora", 16)).contains("use_llm_lora"));
    }
}
