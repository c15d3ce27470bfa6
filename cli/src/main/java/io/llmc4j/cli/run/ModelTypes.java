package io.llmc4j.cli.run;

import io.llmc4j.cli.config.LlmcConfig;
import io.llmc4j.cli.config.Nearest;
import io.llmc4j.cli.config.Problems;
import io.llmc4j.formats.hf.Families;
import io.llmc4j.formats.hf.Family;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** LLMC's {@code model.type} and our families. config.json decides what a model is; the type has to agree with it. */
final class ModelTypes {

    /** LLMC's names that differ from the family's. */
    private static final Map<String, String> OTHER_NAMES = Map.of("SmolLM", "llama", "Starcoder", "starcoder2");
    private static final List<String> NOT_TEXT = List.of("GLM4V", "InternOmni", "InternVL2", "Llava", "LlavaHf", "Llava_OneVision", "Llava OneVision", "MiniCPMV",
            "Mllama", "Qwen2Audio", "Qwen2VL", "VideoLLaVA", "Vila", "Vit", "WanI2V", "WanT2V");
    private static final List<String> LLMC = List.of("Bloom", "ChatGLM", "DeepseekV2", "DeepseekV3", "Falcon", "Gemma2", "InternLM2", "Llama", "MiniCPM", "Mistral",
            "Mixtral", "Opt", "Phi", "Phi3", "Qwen", "Qwen2", "Qwen2Moe", "SmolLM", "StableLm", "Starcoder");

    private ModelTypes() {
    }

    /** Reports a type that is unknown, or known and not here. */
    static void check(LlmcConfig.Model model, Problems problems) {
        String type = model.type();
        if (NOT_TEXT.contains(type)) {
            problems.error(model.typeMark(), "model.type %s is calibrated on images, audio or video in LLMC, which are not here; where llmc4j models lists the architecture, the language part can be "
                    + "quantized by itself: give its type (Llama, Qwen2, ...)", type);
        } else if (families(type).isEmpty()) {
            List<String> names = new ArrayList<>(LLMC);
            Families.all().forEach(f -> names.add(f.name()));
            problems.error(model.typeMark(), LLMC.contains(type) ? "model.type %1$s is not here; llmc4j models lists what is"
                    : "model.type %1$s is unknown; llmc4j models lists what is known%2$s", type, Nearest.hint(type, names));
        }
    }

    /** Reports a type that says another family than the model's config.json. */
    static void checkFamily(LlmcConfig.Model model, String family, String where, Problems problems) {
        if (families(model.type()).stream().noneMatch(f -> f.name().equals(family))) {
            problems.error(model.typeMark(), "model.type is %s, but %s is a model of the family %s", model.type(), where, family);
        }
    }

    private static List<Family> families(String type) {
        String plain = plain(OTHER_NAMES.getOrDefault(type, type));
        return Families.all().stream().filter(f -> plain(f.name()).equals(plain) || type.equals("Starcoder") && f.name().startsWith("starcoder")).toList();
    }

    private static String plain(String name) {
        return name.toLowerCase(Locale.ROOT).replaceAll("[-_. ]", "");
    }
}
