package io.llmc4j.formats.export.compressedtensors;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.llmc4j.engine.BadInput;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * The {@code quantization_config} of a compressed-tensors model: groups of modules with their arguments, and what is left alone.
 *
 * @param ignore module names, class names or {@code re:} expressions
 * @param kvCache arguments of the cache's scales, or empty
 */
public record CompressedTensorsConfig(Layout layout, List<Group> groups, List<String> ignore, Optional<QuantArgs> kvCache) {

    /** @param targets module names, class names ("Linear") or {@code re:} expressions */
    public record Group(String name, List<String> targets, Layout layout, Optional<QuantArgs> weights, Optional<QuantArgs> inputs) { }

    public CompressedTensorsConfig {
        groups = List.copyOf(groups);
        ignore = List.copyOf(ignore);
    }

    /** Throws BadInput (FORMAT, NOT_SUPPORTED) naming the field. */
    public static CompressedTensorsConfig parse(JsonNode q, String where) {
        Layout layout = Layout.named(q.path("format").asText("dense"), where);
        List<Group> groups = new ArrayList<>();
        for (Map.Entry<String, JsonNode> e : q.path("config_groups").properties()) {
            String here = where + ": config_groups." + e.getKey();
            JsonNode g = e.getValue();
            Layout own = g.hasNonNull("format") ? Layout.named(g.get("format").asText(), here) : layout;
            Optional<QuantArgs> weights = args(g.path("weights"), here + ".weights");
            if (own == Layout.MIXED) {
                own = weights.map(w -> Codecs.layout(w.scheme(), g.hasNonNull("input_activations"))).orElse(Layout.DENSE);
            }
            groups.add(new Group(e.getKey(), strings(g.path("targets"), here + ".targets"), own, weights, args(g.path("input_activations"), here + ".input_activations")));
        }
        return new CompressedTensorsConfig(layout, groups, strings(q.path("ignore"), where + ": ignore"), args(q.path("kv_cache_scheme"), where + ": kv_cache_scheme"));
    }

    private static Optional<QuantArgs> args(JsonNode n, String where) {
        return n.isObject() ? Optional.of(QuantArgs.parse(n, where)) : Optional.empty();
    }

    private static List<String> strings(JsonNode n, String where) {
        List<String> out = new ArrayList<>();
        for (JsonNode s : n) {
            if (!s.isTextual()) {
                throw BadInput.of(BadInput.Common.FORMAT, "%s: %s is not a flat list of strings", where, n);
            }
            out.add(s.asText());
        }
        return out;
    }

    /** Whether a name of the ignore list matches this module. */
    public boolean ignores(String module) {
        return ignore.stream().anyMatch(i -> matches(i, module) || i.equals("Linear"));
    }

    /** The group that a linear module belongs to: a name or expression that matches it comes before a class. */
    public Optional<Group> groupOf(String module) {
        return groups.stream().filter(g -> g.targets.stream().anyMatch(t -> matches(t, module))).findFirst()
                .or(() -> groups.stream().filter(g -> g.targets.contains("Linear")).findFirst());
    }

    private static boolean matches(String target, String module) {
        if (!target.startsWith("re:")) {
            return target.equals(module);
        }
        try {
            return Pattern.compile(target.substring(3)).matcher(module).lookingAt();
        } catch (PatternSyntaxException e) {
            throw new BadInput(BadInput.Common.FORMAT, "quantization_config: '" + target + "' is not a regular expression: " + e.getDescription(), e);
        }
    }

    /** As it is written. */
    public ObjectNode json() {
        ObjectNode n = JsonNodeFactory.instance.objectNode();
        ObjectNode all = n.putObject("config_groups");
        for (Group g : groups) {
            ObjectNode o = all.putObject(g.name);
            if (layout == Layout.MIXED) {
                o.put("format", g.layout.label());
            }
            put(o, "input_activations", g.inputs);
            o.putNull("output_activations");
            strings(o.putArray("targets"), g.targets);
            put(o, "weights", g.weights);
        }
        n.put("format", layout.label());
        n.putNull("global_compression_ratio");
        strings(n.putArray("ignore"), ignore);
        put(n, "kv_cache_scheme", kvCache);
        n.put("quant_method", "compressed-tensors");
        n.put("quantization_status", "compressed");
        return n;
    }

    private static void put(ObjectNode o, String key, Optional<QuantArgs> a) {
        if (a.isPresent()) {
            o.set(key, a.get().json());
        } else {
            o.putNull(key);
        }
    }

    private static void strings(ArrayNode a, List<String> values) {
        values.forEach(a::add);
    }
}
