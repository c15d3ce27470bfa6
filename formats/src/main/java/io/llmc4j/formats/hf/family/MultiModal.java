package io.llmc4j.formats.hf.family;

import io.llmc4j.engine.BadInput;
import io.llmc4j.formats.hf.Family;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.ModelShape;
import io.llmc4j.formats.hf.ModelShape.Carried;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * Models that see or hear and whose language part is one of the text families: that part alone is computed and quantized, the towers and projectors are
 * carried over. What the outer config says concerns how images and sounds become tokens; the text's own config is held to its family's rules.
 */
public final class MultiModal implements Family {

    /** Families by the text config's model_type, where it names no architecture. */
    private static final Map<String, Family> TEXT = Map.of("llama", new Llama(), "mistral", new Mistral(), "qwen2", new Qwen2(), "qwen2_vl_text", new Qwen2(),
            "qwen2_vl", new Qwen2(), "qwen2_5_vl_text", new Qwen2(), "qwen2_5_vl", new Qwen2(), "qwen3", new Qwen3(), "qwen3_vl_text", new Qwen3());
    private static final List<Family> BY_ARCHITECTURE = List.of(new Llama(), new Mistral(), new Qwen2(), new Qwen3(), new InternLm2(), new Phi3());

    /** A saver leaves out of a nested config what its class has by default. */
    private static final Map<String, Map<String, Object>> DEFAULTS = Map.of(
            "llama", Map.of("hidden_size", 4096, "intermediate_size", 11008, "num_hidden_layers", 32, "num_attention_heads", 32, "vocab_size", 32000,
                    "max_position_embeddings", 2048),
            "mistral", Map.of("hidden_size", 4096, "intermediate_size", 14336, "num_hidden_layers", 32, "num_attention_heads", 32, "num_key_value_heads", 8,
                    "vocab_size", 32000, "max_position_embeddings", 131072, "sliding_window", 4096),
            "qwen2", Map.of("hidden_size", 4096, "intermediate_size", 22016, "num_hidden_layers", 32, "num_attention_heads", 32, "num_key_value_heads", 32,
                    "vocab_size", 151936, "max_position_embeddings", 32768));

    /** Fields of outer configs: the towers, the projector, token ids, how pictures are cut. */
    private static final String[] OUTER = {"vision_config", "audio_config", "image_token_index", "image_token_id", "video_token_index", "video_token_id",
        "audio_token_index", "audio_token_id", "ignore_index", "image_seq_length", "video_seq_length", "image_grid_pinpoints", "multimodal_projector_bias",
        "projector_hidden_act", "vision_feature_layer", "vision_feature_select_strategy", "vision_aspect_ratio", "spatial_merge_size", "downsample_ratio",
        "scale_factor", "vision_start_token_id", "vision_end_token_id", "vision_token_id", "spatial_pool_mode", "spatial_pool_stride",
        "use_image_newline_parameter", "num_image_tokens", "dynamic_image_size", "force_image_size", "max_dynamic_patch", "min_dynamic_patch", "pad2square",
        "ps_version", "select_layer", "template", "use_thumbnail", "system_message", "image_fold", "vocab_size", "hidden_size"};
    /** In text configs of Idefics 3 and SmolVLM: what their tower does, and a training setting. */
    private static final String[] INNER = {"is_llama_config", "perceiver_config", "pixel_shuffle_factor", "neftune_noise_alpha", "use_resampler"};
    /** Those of LLaVA's own code. */
    private static final String[] LLAVA = {"mm_hidden_size", "mm_projector_type", "mm_projector_lr", "mm_use_im_start_end", "mm_use_im_patch_token",
        "mm_vision_tower", "mm_vision_select_layer", "mm_vision_select_feature", "mm_patch_merge_type", "mm_vision_tower_lr", "mm_resampler_type",
        "freeze_mm_mlp_adapter", "freeze_mm_vision_resampler", "image_aspect_ratio", "image_crop_resolution", "image_split_resolution", "tune_mm_mlp_adapter",
        "tune_mm_vision_resampler", "unfreeze_mm_vision_tower", "use_mm_proj", "pretrain_mm_mlp_adapter", "tokenizer_model_max_length", "tokenizer_padding_side"};

    @Override
    public String name() {
        return "multimodal";
    }

    @Override
    public List<String> architectures() {
        return List.of("LlavaForConditionalGeneration", "LlavaNextForConditionalGeneration", "LlavaNextVideoForConditionalGeneration",
                "LlavaOnevisionForConditionalGeneration", "VideoLlavaForConditionalGeneration", "LlavaLlamaForCausalLM", "Mistral3ForConditionalGeneration",
                "Qwen2VLForConditionalGeneration", "Qwen2_5_VLForConditionalGeneration", "Qwen3VLForConditionalGeneration", "Qwen2AudioForConditionalGeneration",
                "InternVLForConditionalGeneration", "InternVLChatModel", "Idefics3ForConditionalGeneration", "SmolVLMForConditionalGeneration");
    }

    @Override
    public String quirks() {
        return "language part of models with images or sound, by its own family; the rest is carried over";
    }

    @Override
    public String without() {
        return "QuaRot, SpinQuant (the projector is not turned)";
    }

    @Override
    public ModelShape shape(HfConfig c) {
        c.harmless(OUTER);
        for (String adapters : List.of("use_backbone_lora", "use_llm_lora")) {
            if (c.integerOr(0, adapters) != 0) {
                throw c.wrong(adapters, String.valueOf(c.integer(adapters)), "0: adapters have to be merged");
            }
        }
        Optional<String> key = List.of("text_config", "llm_config").stream().filter(c::has).findFirst();
        ModelShape s;
        if (key.isPresent()) {
            String type = c.nested(key.get()).flatMap(t -> t.text("model_type")).orElse("llama");
            Map<String, Object> tied = c.has("tie_word_embeddings") ? Map.of("tie_word_embeddings", c.flagOr(false, "tie_word_embeddings")) : Map.of();
            HfConfig text = c.nested(key.get(), DEFAULTS.getOrDefault(type, Map.of()), tied).orElseThrow();
            text.harmless(INNER);
            // some savers repeat the text's fields beside it
            c.json().properties().stream().filter(e -> e.getValue().equals(text.json().get(e.getKey()))).forEach(e -> c.harmless(e.getKey()));
            s = family(text).shape(text);
        } else {
            c.harmless(LLAVA);
            s = (c.texts("architectures").contains("LlavaLlamaForCausalLM") ? new Llama() : family(c)).shape(c);
        }
        List<Carried> carried = new ArrayList<>(s.carried());
        for (String prefix : List.of("model.vision_tower.", "model.mm_projector.", "model.image_newline", "model.vision_resampler.", "model.visual.")) {
            carried.add(new Carried(prefix, "not part of the text model"));
        }
        return new ModelShape(s.spec(), s.ends(), s.blocks(), s.roots(), carried);
    }

    private static Family family(HfConfig text) {
        List<String> names = text.texts("architectures");
        Optional<Family> named = BY_ARCHITECTURE.stream().filter(f -> names.stream().anyMatch(f.architectures()::contains)).findFirst();
        String type = text.text("model_type").orElse("");
        if (named.isEmpty() && !TEXT.containsKey(type)) {
            Set<String> known = new TreeSet<>(TEXT.keySet());
            BY_ARCHITECTURE.forEach(f -> known.addAll(f.architectures()));
            throw BadInput.of(BadInput.Common.NOT_SUPPORTED, "%s: model_type '%s' of the language part is not here; known: %s", text.where(), type, String.join(", ", known));
        }
        return named.orElseGet(() -> TEXT.get(type));
    }
}
