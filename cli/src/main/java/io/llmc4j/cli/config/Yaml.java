package io.llmc4j.cli.config;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A YAML document as it was written: scalars keep their text (what they mean depends on who asks), and everything keeps its place. */
public sealed interface Yaml {

    Mark mark();

    /** @param plain written without quotes, so that True, ~ and 4 may be more than text */
    record Scalar(String text, boolean plain, Mark mark) implements Yaml {

        private static final java.util.Set<String> NULLS = java.util.Set.of("", "~", "null", "Null", "NULL");

        public boolean isNull() {
            return plain && NULLS.contains(text);
        }
    }

    record Sequence(List<Yaml> items, Mark mark) implements Yaml { }

    /** Keys are text. Merge keys ("<<") are resolved already. */
    record Mapping(Map<String, Entry> entries, Mark mark) implements Yaml {

        public static Mapping empty(Mark mark) {
            return new Mapping(new LinkedHashMap<>(), mark);
        }
    }

    /** @param key place of the key */
    record Entry(Mark key, Yaml value) { }

    /** "a mapping", "a list", "the text 'x'": for messages. */
    default String describe() {
        return switch (this) {
            case Mapping m -> "a mapping";
            case Sequence s -> "a list";
            case Scalar s -> s.isNull() ? "nothing" : "'" + (s.text().length() > 40 ? s.text().substring(0, 40) + "…" : s.text()) + "'";
        };
    }

    /** The document as nested maps, lists, texts, numbers and truth values, without places: what the report and the fingerprint take. */
    default Object asObject() {
        return switch (this) {
            case Scalar s -> s.isNull() ? "" : Scalars.bool(s).<Object>map(b -> b).or(() -> Scalars.integer(s).map(i -> i))
                    .or(() -> s.plain() && !s.text().contains("inf") ? Scalars.number(s).map(d -> d) : java.util.Optional.empty()).orElse(s.text());
            case Sequence s -> {
                List<Object> list = new ArrayList<>();
                s.items().forEach(i -> list.add(i.asObject()));
                yield list;
            }
            case Mapping m -> {
                Map<String, Object> map = new LinkedHashMap<>();
                m.entries().forEach((k, e) -> map.put(k, e.value().asObject()));
                yield map;
            }
        };
    }
}
