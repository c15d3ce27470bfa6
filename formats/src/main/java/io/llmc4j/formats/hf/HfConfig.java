package io.llmc4j.formats.hf;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.llmc4j.engine.BadInput;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * config.json, read so that nothing is guessed: every field is either asked for by the family, known to be harmless, or refused by
 * {@link #finish()}. All errors are BadInput (MODEL) and name the field.
 */
public final class HfConfig {

    private static final ObjectMapper JSON = JsonMapper.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS).build();

    private final JsonNode root;
    private final String where;
    private final Set<String> asked = new HashSet<>();
    private final Map<String, HfConfig> children = new LinkedHashMap<>();

    private HfConfig(JsonNode root, String where) {
        this.root = root;
        this.where = where;
    }

    /** Throws BadInput (MODEL) when the file is missing, not JSON, or not an object. */
    public static HfConfig read(Path file) {
        if (!Files.isRegularFile(file)) {
            throw BadInput.of(BadInput.Common.MODEL, "%s: there is no such file; a Hugging Face model directory holds a config.json", file);
        }
        try {
            return parse(Files.readString(file), file.toString());
        } catch (IOException e) {
            throw new BadInput(BadInput.Common.MODEL, file + ": cannot be read: " + e.getMessage(), e);
        }
    }

    /** @param where named in errors */
    public static HfConfig parse(String json, String where) {
        try {
            JsonNode node = JSON.readTree(json);
            if (node == null || !node.isObject()) {
                throw BadInput.of(BadInput.Common.MODEL, "%s: not a JSON object", where);
            }
            return new HfConfig(node, where);
        } catch (JsonProcessingException e) {
            throw new BadInput(BadInput.Common.MODEL, where + ": not valid JSON: " + e.getOriginalMessage(), e);
        }
    }

    public String where() {
        return where;
    }

    /** The raw object; reading from it does not count as asking. */
    public JsonNode json() {
        return root;
    }

    /** Whether the field is there and not null. */
    public boolean has(String key) {
        return root.hasNonNull(key);
    }

    /** Names fields that do not change what this family computes. */
    public HfConfig harmless(String... keys) {
        asked.addAll(List.of(keys));
        return this;
    }

    /** The first of these names that is present; throws when none is. */
    public int integer(String... names) {
        return toInt(required(names), names[0]);
    }

    public int integerOr(int absent, String... names) {
        Optional<JsonNode> n = find(names);
        return n.isPresent() ? toInt(n.get(), names[0]) : absent;
    }

    public double number(String... names) {
        return toDouble(required(names), names[0]);
    }

    public double numberOr(double absent, String... names) {
        Optional<JsonNode> n = find(names);
        return n.isPresent() ? toDouble(n.get(), names[0]) : absent;
    }

    public boolean flagOr(boolean absent, String... names) {
        Optional<JsonNode> n = find(names);
        if (n.isPresent() && !n.get().isBoolean()) {
            throw wrong(names[0], n.get().toString(), "true or false");
        }
        return n.map(JsonNode::booleanValue).orElse(absent);
    }

    public Optional<String> text(String... names) {
        Optional<JsonNode> n = find(names);
        if (n.isPresent() && !n.get().isTextual()) {
            throw wrong(names[0], n.get().toString(), "a string");
        }
        return n.map(JsonNode::textValue);
    }

    public List<String> texts(String key) {
        List<String> out = new ArrayList<>();
        for (JsonNode n : array(key)) {
            if (!n.isTextual()) {
                throw wrong(key, root.get(key).toString(), "a list of strings");
            }
            out.add(n.textValue());
        }
        return out;
    }

    /** "full_attention" or "sliding_attention" for each layer; empty when absent. Throws for another kind or another number. */
    public List<String> layerTypes(int layers) {
        List<String> types = texts("layer_types");
        for (String t : types) {
            if (!t.equals("full_attention") && !t.equals("sliding_attention")) {
                throw wrong("layer_types", t, "full_attention, sliding_attention");
            }
        }
        if (!types.isEmpty() && types.size() != layers) {
            throw wrong("layer_types", types.size() + " entries", "one for each of the " + layers + " layers");
        }
        return types;
    }

    public List<Integer> integers(String key) {
        List<Integer> out = new ArrayList<>();
        array(key).forEach(n -> out.add(toInt(n, key)));
        return out;
    }

    public List<Double> numbers(String key) {
        List<Double> out = new ArrayList<>();
        array(key).forEach(n -> out.add(toDouble(n, key)));
        return out;
    }

    private JsonNode array(String key) {
        Optional<JsonNode> n = find(key);
        if (n.isEmpty()) {
            return JSON.createArrayNode();
        }
        if (!n.get().isArray()) {
            throw wrong(key, n.get().toString(), "a list");
        }
        return n.get();
    }

    /** A nested object, whose fields are held to the same rule; empty when absent or null. */
    public Optional<HfConfig> nested(String key) {
        Optional<JsonNode> n = find(key);
        if (n.isEmpty()) {
            return Optional.empty();
        }
        if (!n.get().isObject()) {
            throw wrong(key, n.get().toString(), "an object");
        }
        return Optional.of(children.computeIfAbsent(key, k -> new HfConfig(n.get(), where + ": " + k)));
    }

    /**
     * As {@link #nested(String)}, with fields that are taken where it has none, and fields that hold whatever it says.
     *
     * @param absent    values of fields that savers leave out
     * @param overruled values that the outer object decides
     */
    public Optional<HfConfig> nested(String key, Map<String, Object> absent, Map<String, Object> overruled) {
        return nested(key).map(own -> children.compute(key, (k, old) -> {
            ObjectNode n = own.root.deepCopy();
            absent.forEach((f, v) -> {
                if (!n.has(f)) {
                    n.set(f, JSON.valueToTree(v));
                }
            });
            overruled.forEach((f, v) -> n.set(f, JSON.valueToTree(v)));
            return new HfConfig(n, own.where);
        }));
    }

    /** Refuses any value but {@code only}; an absent field has that value. */
    public void only(String key, boolean only) {
        if (flagOr(only, key) != only) {
            throw BadInput.of(BadInput.Common.NOT_SUPPORTED, "%s: %s is %s, which changes the mathematics in a way that is not computed here; only %s is", where,
                    key, !only, only);
        }
    }

    /** The error for a value that is not understood. */
    public BadInput wrong(String key, String found, String allowed) {
        return BadInput.of(BadInput.Common.MODEL, "%s: %s is %s; known here: %s", where, key, found, allowed);
    }

    /** Throws BadInput (NOT_SUPPORTED) naming every field that nobody asked for and that says something. */
    public void finish() {
        List<String> unknown = new ArrayList<>();
        collectUnknown(unknown);
        if (!unknown.isEmpty()) {
            throw BadInput.of(BadInput.Common.NOT_SUPPORTED, "%s: fields that are not understood and may change the mathematics: %s; "
                    + "remove them if they do not", where, String.join(", ", unknown));
        }
    }

    private void collectUnknown(List<String> unknown) {
        Iterator<String> names = root.fieldNames();
        while (names.hasNext()) {
            String name = names.next();
            if (!asked.contains(name) && !HarmlessFields.contains(name) && says(root.get(name)) && !allFull(name)) {
                unknown.add(name + " = " + abbreviated(root.get(name).toString()));
            }
        }
        children.values().forEach(c -> c.collectUnknown(unknown));
    }

    /** Null, false and empty things ask for nothing. */
    private static boolean says(JsonNode n) {
        return !(n.isNull() || n.isBoolean() && !n.booleanValue() || n.isContainerNode() && n.isEmpty() || n.isTextual() && n.textValue().isEmpty());
    }

    /** Layers that all see every token are the rule, not an exception. */
    private boolean allFull(String name) {
        if (!name.equals("layer_types") || !root.get(name).isArray()) {
            return false;
        }
        boolean all = true;
        for (JsonNode n : root.get(name)) {
            all &= n.asText().equals("full_attention");
        }
        return all;
    }

    private static String abbreviated(String s) {
        return s.length() <= 60 ? s : s.substring(0, 57) + "...";
    }

    private Optional<JsonNode> find(String... names) {
        asked.addAll(List.of(names));
        for (String n : names) {
            if (root.hasNonNull(n)) {
                return Optional.of(root.get(n));
            }
        }
        return Optional.empty();
    }

    private JsonNode required(String... names) {
        return find(names).orElseThrow(() -> BadInput.of(BadInput.Common.MODEL, "%s: the field %s is missing", where, String.join(" (or ", names)
                + ")".repeat(names.length - 1)));
    }

    private int toInt(JsonNode n, String key) {
        if (!n.isNumber() || n.doubleValue() != Math.rint(n.doubleValue()) || !n.canConvertToInt()) {
            throw wrong(key, n.toString(), "an integer");
        }
        return n.intValue();
    }

    private double toDouble(JsonNode n, String key) {
        if (!n.isNumber()) {
            throw wrong(key, n.toString(), "a number");
        }
        return n.doubleValue();
    }
}
