package io.llmc4j.cli.config;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * One mapping of a configuration while it is read. Whoever reads it asks for its keys; {@link #done()} then reports every key that nobody asked for,
 * with the nearest of those that somebody did. So the code that reads a section is its schema, and the two cannot differ.
 *
 * <p>A value of the wrong type is reported and read as absent.
 */
public final class Section {

    private final String path;
    private final Yaml.Mapping mapping;
    private final Problems problems;
    private final Set<String> known = new LinkedHashSet<>();
    private final Set<String> told = new LinkedHashSet<>();

    /** @param path "quant.weight"; empty at the top level */
    public Section(String path, Yaml.Mapping mapping, Problems problems) {
        this.path = path;
        this.mapping = mapping;
        this.problems = problems;
    }

    public String path() {
        return path;
    }

    public Problems problems() {
        return problems;
    }

    public Mark mark() {
        return mapping.mark();
    }

    /** Where the key stands, or the section when the key is absent. */
    public Mark mark(String key) {
        Yaml.Entry e = mapping.entries().get(key);
        return e == null ? mapping.mark() : e.key();
    }

    /** "quant.weight.bit". */
    public String name(String key) {
        return path.isEmpty() ? key : path + "." + key;
    }

    public boolean has(String key) {
        known.add(key);
        return mapping.entries().containsKey(key);
    }

    /** The names that are present, read or not. */
    public Set<String> keys() {
        return mapping.entries().keySet();
    }

    /** The value, unless it is absent or null. */
    public Optional<Yaml> value(String key) {
        known.add(key);
        Yaml.Entry e = mapping.entries().get(key);
        return e == null || e.value() instanceof Yaml.Scalar s && s.isNull() ? Optional.empty() : Optional.of(e.value());
    }

    public Optional<String> text(String key) {
        return value(key).flatMap(v -> {
            if (v instanceof Yaml.Scalar s) {
                return Optional.of(s.text());
            }
            wrong(key, v, "a text");
            return Optional.empty();
        });
    }

    public String text(String key, String otherwise) {
        return text(key).orElse(otherwise);
    }

    /** Reports when the key is absent. */
    public Optional<String> requiredText(String key) {
        require(key);
        return text(key);
    }

    /** One of the allowed values; another one is reported with the nearest. */
    public Optional<String> choice(String key, List<String> allowed) {
        return text(key).filter(t -> {
            if (allowed.contains(t)) {
                return true;
            }
            problems.error(mark(key), "%s is '%s'; it can be %s%s", name(key), t, String.join(", ", allowed), Nearest.hint(t, allowed));
            return false;
        });
    }

    public Optional<Boolean> bool(String key) {
        return value(key).flatMap(v -> {
            Optional<Boolean> b = Scalars.bool(v);
            if (b.isEmpty()) {
                wrong(key, v, "True or False");
            }
            return b;
        });
    }

    public boolean bool(String key, boolean otherwise) {
        return bool(key).orElse(otherwise);
    }

    public Optional<Integer> integer(String key) {
        return value(key).flatMap(v -> {
            Optional<Integer> i = Scalars.integer(v);
            if (i.isEmpty()) {
                wrong(key, v, "an integer");
            }
            return i;
        });
    }

    public Optional<Integer> integer(String key, int least, int most) {
        return integer(key).filter(i -> {
            if (i >= least && i <= most) {
                return true;
            }
            problems.error(mark(key), "%s is %d; it has to be %s", name(key), i,
                    most == Integer.MAX_VALUE ? "at least " + least : "from " + least + " to " + most);
            return false;
        });
    }

    public Optional<Double> number(String key) {
        return value(key).flatMap(v -> {
            Optional<Double> d = Scalars.number(v);
            if (d.isEmpty()) {
                wrong(key, v, "a number");
            }
            return d;
        });
    }

    /** Numbers of a list. */
    public Optional<List<Double>> numbers(String key) {
        return items(key).flatMap(items -> {
            List<Double> out = new ArrayList<>();
            for (Yaml item : items) {
                Optional<Double> d = Scalars.number(item);
                if (d.isEmpty()) {
                    problems.error(item.mark(), "%s is a list of numbers, found %s", name(key), item.describe());
                    return Optional.empty();
                }
                out.add(d.get());
            }
            return Optional.of(List.copyOf(out));
        });
    }

    /** Texts of a list, or one text. */
    public Optional<List<String>> texts(String key) {
        Optional<Yaml> v = value(key);
        if (v.isPresent() && v.get() instanceof Yaml.Scalar s) {
            return Optional.of(List.of(s.text()));
        }
        return items(key).flatMap(items -> {
            List<String> out = new ArrayList<>();
            for (Yaml item : items) {
                if (!(item instanceof Yaml.Scalar s)) {
                    problems.error(item.mark(), "%s is a list of texts, found %s", name(key), item.describe());
                    return Optional.empty();
                }
                out.add(s.text());
            }
            return Optional.of(List.copyOf(out));
        });
    }

    public Optional<List<Yaml>> items(String key) {
        return value(key).flatMap(v -> {
            if (v instanceof Yaml.Sequence s) {
                return Optional.of(s.items());
            }
            wrong(key, v, "a list");
            return Optional.empty();
        });
    }

    public Optional<Section> section(String key) {
        return value(key).flatMap(v -> {
            if (v instanceof Yaml.Mapping m) {
                return Optional.of(new Section(name(key), m, problems));
            }
            wrong(key, v, "a mapping");
            return Optional.empty();
        });
    }

    /** Reports when the key is absent or null. */
    public void require(String key) {
        if (value(key).isEmpty() && told.add(key)) {
            problems.error(mark(key), "%s is missing", name(key));
        }
    }

    /** A key of LLMC's files that does nothing: accepted, with a notice. */
    public void inert(String key, String why) {
        if (has(key)) {
            problems.notice(mark(key), "%s is accepted and does nothing: %s", name(key), why);
        }
    }

    /** A misspelling that LLMC's files have: read as the right key, with a notice. Both at once are an error. */
    public String alias(String right, String wrong) {
        if (has(wrong) && has(right)) {
            problems.error(mark(wrong), "%s and %s are the same key; give one", name(wrong), name(right));
        }
        known.add(right);
        return mapping.entries().containsKey(wrong) ? wrong : right;
    }

    /** A key that is understood and not there: the sentence says what to do. */
    public void refuse(String key, String sentence) {
        if (has(key)) {
            problems.error(mark(key), "%s: %s", name(key), sentence);
        }
    }

    private void wrong(String key, Yaml value, String expected) {
        if (told.add(key)) {
            problems.error(value.mark(), "%s has to be %s, found %s", name(key), expected, value.describe());
        }
    }

    /** Reports the keys that nobody asked for. */
    public void done() {
        for (Map.Entry<String, Yaml.Entry> e : mapping.entries().entrySet()) {
            if (!known.contains(e.getKey())) {
                problems.error(e.getValue().key(), "unknown key '%s' %s%s", e.getKey(), path.isEmpty() ? "at the top level" : "in " + path,
                        Nearest.hint(e.getKey(), known));
            }
        }
    }

    /** Like {@link #done()}, but says more about keys that other readers of the same kind of section would know. */
    public void done(java.util.function.Function<String, Optional<String>> explain) {
        for (Map.Entry<String, Yaml.Entry> e : mapping.entries().entrySet()) {
            String key = e.getKey();
            if (!known.contains(key)) {
                problems.error(e.getValue().key(), "%s", explain.apply(key).orElseGet(() -> "unknown key '" + key + "' in " + path + Nearest.hint(key, known)));
            }
        }
    }
}
