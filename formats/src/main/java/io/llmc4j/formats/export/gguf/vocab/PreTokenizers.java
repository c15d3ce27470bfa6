package io.llmc4j.formats.export.gguf.vocab;

import com.fasterxml.jackson.databind.JsonNode;
import io.llmc4j.engine.BadInput;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * llama.cpp's names for the rules that split text before byte-level BPE, found by what tokenizer.json does (its list of steps), not by the
 * model's name. A rule that llama.cpp does not have is refused: tokens would come out different.
 */
final class PreTokenizers {

    static final String CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|";
    private static final String WORDS = "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|";
    private static final String REST = "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    static final String LLAMA3 = CONTRACTIONS + WORDS + "\\p{N}{1,3}" + REST;
    static final String QWEN2 = CONTRACTIONS + WORDS + "\\p{N}" + REST;
    private static final String QWEN35 = CONTRACTIONS
            + "[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    private static final String UPPER = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
    private static final String LOWER = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";
    private static final String SUFFIX = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?|";
    private static final String SLASH_REST = "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    static final String GPT4O = "[^\\r\\n\\p{L}\\p{N}]?" + UPPER + "*" + LOWER + "+" + SUFFIX + "[^\\r\\n\\p{L}\\p{N}]?" + UPPER + "+" + LOWER + "*"
            + SUFFIX + "\\p{N}{1,3}" + SLASH_REST;
    static final String TEKKEN = "[^\\r\\n\\p{L}\\p{N}]?" + UPPER + "*" + LOWER + "+|[^\\r\\n\\p{L}\\p{N}]?" + UPPER + "+" + LOWER + "*|\\p{N}" + SLASH_REST;
    private static final String DEEPSEEK3_MAIN = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
            + "| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    private static final String BLOOM = " ?[^(\\s|[.,!?…。，、।۔،])]+";

    /** Steps of tokenizer.json to the name; a model may have another name for the same steps (see {@link #name}). */
    private static final Map<List<String>, String> NAMES = Map.ofEntries(
            Map.entry(List.of("bytes+words"), "gpt-2"),
            Map.entry(List.of("digit", "bytes+words"), "starcoder"),
            Map.entry(List.of("split " + LLAMA3, "bytes"), "llama-bpe"),
            Map.entry(List.of("split " + QWEN2, "bytes"), "qwen2"),
            Map.entry(List.of("split " + QWEN35, "bytes"), "qwen35"),
            Map.entry(List.of("split " + GPT4O, "bytes"), "gpt-4o"),
            Map.entry(List.of("split " + TEKKEN, "bytes"), "tekken"),
            Map.entry(List.of("split " + BLOOM, "bytes"), "bloom"),
            Map.entry(List.of("split \\p{N}{1,3}", "split [一-龥぀-ゟ゠-ヿ]+", "split " + DEEPSEEK3_MAIN, "bytes"), "deepseek-v3"),
            Map.entry(List.of("punctuation", "bytes+words", "digits", "split [0-9][0-9][0-9]"), "falcon"),
            Map.entry(List.of("split [\\r\\n]", "split \\s?\\p{L}+", "split \\s?\\p{P}+", "split [一-龥ࠀ-一가-퟿]+", "digit", "bytes"), "deepseek-coder"));

    private PreTokenizers() {
    }

    /**
     * @param arch         llama.cpp's architecture name; some have their own name for the same rule
     * @param ignoreMerges whole words that are tokens are taken as they are
     */
    static String name(JsonNode tokenizer, String arch, boolean ignoreMerges) {
        List<String> steps = new ArrayList<>();
        collect(tokenizer.path("pre_tokenizer"), steps);
        String name = Optional.ofNullable(NAMES.get(steps)).or(() -> deepseekLlm(steps)).orElseThrow(() -> BadInput.of(BadInput.Common.NOT_SUPPORTED,
                "tokenizer.json splits text in a way that llama.cpp has no name for: %s", steps));
        return switch (name) {
            // Only with this name does llama.cpp take whole words first.
            case "llama-bpe" -> ignoreMerges ? name : arch.equals("glm4") || arch.equals("chatglm") ? "glm4" : "smaug-bpe";
            case "qwen2" -> arch.equals("stablelm") ? "stablelm2" : name;
            case "starcoder" -> arch.equals("command-r") || arch.equals("cohere2") ? "command-r" : arch.equals("llama") || arch.equals("smollm3")
                    ? "smollm" : name;
            default -> name;
        };
    }

    /** Its second step names every Latin, Greek and Cyrillic letter; the first letters tell it. */
    private static Optional<String> deepseekLlm(List<String> steps) {
        boolean is = steps.size() >= 6 && steps.get(0).equals("split [\\r\\n]") && steps.get(1).startsWith("split \\s?[A-Za-zµÀ-Ö")
                && steps.contains("digits") && steps.getLast().equals("bytes");
        return is ? Optional.of("deepseek-llm") : Optional.empty();
    }

    private static void collect(JsonNode node, List<String> steps) {
        switch (node.path("type").asText("")) {
            case "Sequence" -> node.path("pretokenizers").forEach(n -> collect(n, steps));
            case "ByteLevel" -> steps.add(node.path("use_regex").asBoolean(true) ? "bytes+words" : "bytes");
            case "Split" -> steps.add("split " + normalized(node.path("pattern").path("Regex").asText(node.path("pattern").path("String").asText())));
            case "Digits" -> steps.add(node.path("individual_digits").asBoolean(false) ? "digit" : "digits");
            case "Punctuation" -> steps.add("punctuation");
            case "" -> steps.add("none");
            default -> steps.add(node.path("type").asText());
        }
    }

    /** One spelling for what is the same: control characters escaped, the short form of the contractions written out. */
    private static String normalized(String regex) {
        return regex.replace("\r", "\\r").replace("\n", "\\n")
                .replace("'(?i:[sdmt]|ll|ve|re)", "(?i:'s|'t|'re|'ve|'m|'ll|'d)").replace("?+", "?").replace("++", "+");
    }

    /** The regular expression that splits for a name, for writing tokenizer.json; empty where it is not one expression. */
    static Optional<String> regex(String name) {
        return switch (name) {
            case "llama-bpe", "smaug-bpe", "glm4", "chatglm-bpe", "dbrx" -> Optional.of(LLAMA3);
            case "qwen2", "stablelm2" -> Optional.of(QWEN2);
            case "qwen35" -> Optional.of(QWEN35);
            case "gpt-4o" -> Optional.of(GPT4O);
            case "tekken" -> Optional.of(TEKKEN);
            case "bloom" -> Optional.of(BLOOM);
            default -> Optional.empty();
        };
    }
}
