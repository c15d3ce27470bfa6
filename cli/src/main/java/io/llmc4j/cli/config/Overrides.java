package io.llmc4j.cli.config;

import io.llmc4j.engine.BadInput;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** {@code --set quant.weight.bit=3}: one value of a configuration replaced or added. List elements are named by their index, {@code eval.0.seq_len}. */
public final class Overrides {

    private Overrides() {
    }

    /** A new document with the assignments made, in order. Throws BadInput (USAGE) for one that has no '=' or walks through a scalar. */
    public static Yaml.Mapping apply(Yaml.Mapping document, List<String> assignments) {
        Yaml.Mapping out = document;
        for (String assignment : assignments) {
            int eq = assignment.indexOf('=');
            String key = eq < 0 ? "" : assignment.substring(0, eq).strip();
            if (key.isEmpty()) {
                throw BadInput.of(BadInput.Common.USAGE, "--set '%s': give it as key=value, for example --set quant.weight.bit=3", assignment);
            }
            Mark mark = Mark.of("--set " + key);
            Yaml value = YamlReader.parse("--set " + key, assignment.substring(eq + 1));
            out = (Yaml.Mapping) set(out, List.of(key.split("\\.", -1)), 0, at(value, mark), mark);
        }
        return out;
    }

    /** The document with one value set; everything new stands at {@code mark}. */
    public static Yaml.Mapping with(Yaml.Mapping document, String key, Object value, Mark mark) {
        return (Yaml.Mapping) set(document, List.of(key.split("\\.", -1)), 0, yaml(value, mark), mark);
    }

    private static Yaml yaml(Object value, Mark mark) {
        return switch (value) {
            case Yaml y -> at(y, mark);
            case List<?> list -> new Yaml.Sequence(list.stream().map(v -> yaml(v, mark)).toList(), mark);
            case Boolean b -> new Yaml.Scalar(b ? "True" : "False", true, mark);
            default -> new Yaml.Scalar(value.toString(), true, mark);
        };
    }

    private static Yaml set(Yaml node, List<String> path, int depth, Yaml value, Mark mark) {
        if (depth == path.size()) {
            return value;
        }
        String step = path.get(depth);
        if (step.isEmpty()) {
            throw BadInput.of(BadInput.Common.USAGE, "%s: an empty name in the key", mark);
        }
        return switch (node) {
            case Yaml.Mapping m -> {
                Map<String, Yaml.Entry> entries = new LinkedHashMap<>(m.entries());
                Yaml.Entry old = entries.get(step);
                Yaml child = old == null ? Yaml.Mapping.empty(mark) : old.value();
                entries.put(step, new Yaml.Entry(depth == path.size() - 1 || old == null ? mark : old.key(), set(child, path, depth + 1, value, mark)));
                yield new Yaml.Mapping(entries, m.mark());
            }
            case Yaml.Sequence s -> {
                int index = step.matches("[0-9]{1,4}") ? Integer.parseInt(step) : -1;
                if (index < 0 || index >= s.items().size()) {
                    throw BadInput.of(BadInput.Common.USAGE, "%s: '%s' is not an element of this list of %d (0 is the first)", mark, step, s.items().size());
                }
                List<Yaml> items = new ArrayList<>(s.items());
                items.set(index, set(items.get(index), path, depth + 1, value, mark));
                yield new Yaml.Sequence(List.copyOf(items), s.mark());
            }
            case Yaml.Scalar s when s.isNull() -> set(Yaml.Mapping.empty(mark), path, depth, value, mark);
            case Yaml.Scalar s -> throw BadInput.of(BadInput.Common.USAGE, "%s: %s is a value, so nothing can be set in it", mark,
                    String.join(".", path.subList(0, depth)));
        };
    }

    private static Yaml at(Yaml value, Mark mark) {
        return switch (value) {
            case Yaml.Scalar s -> new Yaml.Scalar(s.text(), s.plain(), mark);
            case Yaml.Sequence s -> new Yaml.Sequence(s.items().stream().map(i -> at(i, mark)).toList(), mark);
            case Yaml.Mapping m -> {
                Map<String, Yaml.Entry> entries = new LinkedHashMap<>();
                m.entries().forEach((k, e) -> entries.put(k, new Yaml.Entry(mark, at(e.value(), mark))));
                yield new Yaml.Mapping(entries, mark);
            }
        };
    }
}
