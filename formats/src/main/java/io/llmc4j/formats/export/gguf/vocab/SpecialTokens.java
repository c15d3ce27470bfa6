package io.llmc4j.formats.export.gguf.vocab;

import com.fasterxml.jackson.databind.JsonNode;
import io.llmc4j.engine.BadInput;
import io.llmc4j.formats.export.gguf.GgufMetadata;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/** Ids of special tokens, whether they are added by themselves, chat templates. */
final class SpecialTokens {

    private static final Map<String, String> KEYS = Map.of("bos", "bos_token_id", "eos", "eos_token_id", "unk", "unknown_token_id",
            "sep", "seperator_token_id", "pad", "padding_token_id", "mask", "mask_token_id");
    private static final List<String> ORDER = List.of("bos", "eos", "unk", "sep", "pad", "mask");

    private SpecialTokens() {
    }

    static void write(Path directory, JsonNode tokenizer, JsonNode config, int size, GgufMetadata to) {
        JsonNode model = JsonFiles.read(directory, "config.json");
        Map<String, Integer> ids = new HashMap<>();
        tokenizer.path("model").path("vocab").properties().forEach(e -> ids.put(e.getKey(), e.getValue().asInt(-1)));
        tokenizer.path("added_tokens").forEach(t -> ids.put(t.path("content").asText(), t.path("id").asInt(-1)));
        Map<String, Integer> special = new HashMap<>();
        for (String kind : ORDER) {
            id(kind, config, model, ids).ifPresent(id -> {
                if (id >= 0 && id < size) {
                    special.put(kind, id);
                    to.u32("tokenizer.ggml." + KEYS.get(kind), id);
                }
            });
        }
        List<String> template = template(tokenizer.path("post_processor"));
        to.bool("tokenizer.ggml.add_bos_token", adds(config, "add_bos_token", !template.isEmpty() && ids.containsKey(template.getFirst())
                && ids.get(template.getFirst()).equals(special.get("bos"))));
        to.bool("tokenizer.ggml.add_eos_token", adds(config, "add_eos_token", !template.isEmpty() && ids.containsKey(template.getLast())
                && ids.get(template.getLast()).equals(special.get("eos"))));
        chat(directory, config, to);
    }

    private static boolean adds(JsonNode config, String key, boolean otherwise) {
        return config.path(key).isBoolean() ? config.path(key).asBoolean() : otherwise;
    }

    /** By the token that tokenizer_config.json names, else by the id of config.json. */
    private static OptionalInt id(String kind, JsonNode config, JsonNode model, Map<String, Integer> ids) {
        JsonNode token = config.path(kind + "_token");
        String text = token.isObject() ? token.path("content").asText("") : token.asText("");
        if (ids.containsKey(text)) {
            return OptionalInt.of(ids.get(text));
        }
        JsonNode id = model.path(kind + "_token_id");
        id = id.isArray() ? id.path(0) : id;
        return id.isIntegralNumber() ? OptionalInt.of(id.asInt()) : OptionalInt.empty();
    }

    /** The tokens that a single sequence gets, with "" in the text's place. */
    private static List<String> template(JsonNode node) {
        List<String> out = new ArrayList<>();
        if (node.path("type").asText().equals("Sequence")) {
            for (JsonNode n : node.path("processors")) {
                List<String> inner = template(n);
                out = inner.isEmpty() ? out : inner;
            }
        } else if (node.path("type").asText().equals("TemplateProcessing")) {
            for (JsonNode n : node.path("single")) {
                out.add(n.path("SpecialToken").path("id").asText(""));
            }
        } else if (List.of("RobertaProcessing", "BertProcessing").contains(node.path("type").asText())) {
            out = List.of(node.path("cls").path(0).asText(""), "", node.path("sep").path(0).asText(""));
        }
        return out;
    }

    private static void chat(Path directory, JsonNode config, GgufMetadata to) {
        Path file = directory.resolve("chat_template.jinja");
        JsonNode template = config.path("chat_template");
        if (Files.exists(file)) {
            try {
                to.text("tokenizer.chat_template", Files.readString(file));
            } catch (IOException e) {
                throw new BadInput(BadInput.Common.MODEL, "cannot read " + file + ": " + e.getMessage(), e);
            }
        } else if (template.isTextual()) {
            to.text("tokenizer.chat_template", template.asText());
        } else if (template.isArray()) {
            List<String> names = new ArrayList<>();
            for (JsonNode t : template) {
                String name = t.path("name").asText("");
                if (name.equals("default")) {
                    to.text("tokenizer.chat_template", t.path("template").asText());
                } else {
                    names.add(name);
                    to.text("tokenizer.chat_template." + name, t.path("template").asText());
                }
            }
            if (!names.isEmpty()) {
                to.texts("tokenizer.chat_templates", names);
            }
        }
    }
}
