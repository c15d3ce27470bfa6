package io.llmc4j.formats.hf;

import io.llmc4j.engine.BadInput;
import io.llmc4j.formats.hf.family.Bloom;
import io.llmc4j.formats.hf.family.ChatGlm;
import io.llmc4j.formats.hf.family.Cohere;
import io.llmc4j.formats.hf.family.DeepSeekV2;
import io.llmc4j.formats.hf.family.DeepSeekV3;
import io.llmc4j.formats.hf.family.Falcon;
import io.llmc4j.formats.hf.family.Gemma;
import io.llmc4j.formats.hf.family.Gemma2;
import io.llmc4j.formats.hf.family.Gemma3;
import io.llmc4j.formats.hf.family.Glm;
import io.llmc4j.formats.hf.family.Glm4;
import io.llmc4j.formats.hf.family.Gpt2;
import io.llmc4j.formats.hf.family.GptJ;
import io.llmc4j.formats.hf.family.GptNeoX;
import io.llmc4j.formats.hf.family.GptOss;
import io.llmc4j.formats.hf.family.Granite;
import io.llmc4j.formats.hf.family.InternLm2;
import io.llmc4j.formats.hf.family.Llama;
import io.llmc4j.formats.hf.family.MiniCpm;
import io.llmc4j.formats.hf.family.Mistral;
import io.llmc4j.formats.hf.family.Mixtral;
import io.llmc4j.formats.hf.family.MultiModal;
import io.llmc4j.formats.hf.family.Olmo2;
import io.llmc4j.formats.hf.family.Opt;
import io.llmc4j.formats.hf.family.Phi;
import io.llmc4j.formats.hf.family.Phi3;
import io.llmc4j.formats.hf.family.Qwen;
import io.llmc4j.formats.hf.family.Qwen2;
import io.llmc4j.formats.hf.family.Qwen2Moe;
import io.llmc4j.formats.hf.family.Qwen3;
import io.llmc4j.formats.hf.family.Qwen3Moe;
import io.llmc4j.formats.hf.family.SmolLm3;
import io.llmc4j.formats.hf.family.StableLm;
import io.llmc4j.formats.hf.family.StarCoder;
import io.llmc4j.formats.hf.family.StarCoder2;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/** The only list of model families. */
public final class Families {

    private static final List<Family> ALL = List.of(
            new Bloom(), new ChatGlm(), new Cohere(), new DeepSeekV2(), new DeepSeekV3(), new Falcon(),
            new Gemma(), new Gemma2(), new Gemma3(), new Glm(), new Glm4(), new Gpt2(),
            new GptJ(), new GptNeoX(), new GptOss(), new Granite(), new InternLm2(), new Llama(),
            new MiniCpm(), new Mistral(), new Mixtral(), new MultiModal(), new Olmo2(), new Opt(), new Phi(),
            new Phi3(), new Qwen(), new Qwen2(), new Qwen2Moe(), new Qwen3(), new Qwen3Moe(),
            new SmolLm3(), new StableLm(), new StarCoder(), new StarCoder2());

    private Families() {
    }

    public static List<Family> all() {
        return ALL;
    }

    /** Throws BadInput (NOT_SUPPORTED) naming the architecture when no family claims it. */
    public static Family of(HfConfig config) {
        List<String> names = config.texts("architectures");
        for (Family f : ALL) {
            if (names.stream().anyMatch(f.architectures()::contains)) {
                return f;
            }
        }
        Set<String> known = new TreeSet<>();
        ALL.forEach(f -> known.addAll(f.architectures()));
        throw BadInput.of(BadInput.Common.NOT_SUPPORTED, "%s: unknown architecture %s; known: %s", config.where(),
                names.isEmpty() ? "(the field architectures is missing)" : String.join(", ", names), String.join(", ", known));
    }
}
