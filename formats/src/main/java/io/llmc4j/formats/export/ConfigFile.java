package io.llmc4j.formats.export;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.util.DefaultIndenter;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import com.fasterxml.jackson.core.util.Separators;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Map;

/** config.json as it is written, and its kin. */
final class ConfigFile {

    private static final ObjectMapper JSON = new ObjectMapper();
    /** Where the number of blocks stands, by family. */
    private static final List<String> BLOCKS = List.of("num_hidden_layers", "n_layer", "num_layers", "n_layers");

    /** What the text model's part is called in the config of a model that sees or hears. */
    private static final List<String> TEXT = List.of("text_config", "llm_config");

    private ConfigFile() {
    }

    /** The source's config.json as an object to edit, without an earlier quantization. */
    static ObjectNode copy(JsonNode source) {
        ObjectNode n = source.deepCopy();
        n.remove(List.of("quantization_config", "compression_config", "quantization"));
        if (n.path("quant_method").isTextual()) {
            n.remove("quant_method");
        }
        return n;
    }

    /** The head is a tensor of its own now. */
    static void untie(ObjectNode config) {
        config.put("tie_word_embeddings", false);
        for (String inner : TEXT) {
            if (config.path(inner) instanceof ObjectNode text && text.has("tie_word_embeddings")) {
                text.put("tie_word_embeddings", false);
            }
        }
    }

    /** Some blocks were left out: their number, and the lists that say something of each. */
    static void keepBlocks(ObjectNode config, int before, List<Integer> kept) {
        ObjectNode where = TEXT.stream().map(config::path).filter(t -> BLOCKS.stream().anyMatch(t::has)).map(ObjectNode.class::cast).findFirst().orElse(config);
        BLOCKS.stream().filter(where::has).forEach(k -> where.put(k, kept.size()));
        where.properties().forEach(e -> {
            if (e.getKey().equals("layer_types") && e.getValue().size() == before) {
                ArrayNode types = JsonNodeFactory.instance.arrayNode();
                kept.forEach(i -> types.add(e.getValue().get(i)));
                e.setValue(types);
            }
        });
    }

    static ObjectNode index(long totalBytes, Map<String, String> weightMap) {
        ObjectNode n = JsonNodeFactory.instance.objectNode();
        n.putObject("metadata").put("total_size", totalBytes);
        ObjectNode m = n.putObject("weight_map");
        weightMap.forEach(m::put);
        return n;
    }

    /** What a mark of ours says; a mark that is no JSON is a bug. */
    static JsonNode parse(String json) {
        try {
            return JSON.readTree(json);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Indented by two, with a newline at the end, as Transformers writes it. */
    static String print(JsonNode n) {
        DefaultIndenter indent = new DefaultIndenter("  ", "\n");
        DefaultPrettyPrinter p = new DefaultPrettyPrinter(Separators.createDefaultInstance().withObjectFieldValueSpacing(Separators.Spacing.AFTER))
                .withObjectIndenter(indent).withArrayIndenter(indent);
        try {
            return JSON.writer(p).writeValueAsString(n) + "\n";
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }
}
