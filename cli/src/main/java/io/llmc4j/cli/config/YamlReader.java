package io.llmc4j.cli.config;

import io.llmc4j.engine.BadInput;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.api.lowlevel.Compose;
import org.snakeyaml.engine.v2.common.ScalarStyle;
import org.snakeyaml.engine.v2.exceptions.MarkedYamlEngineException;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;
import org.snakeyaml.engine.v2.nodes.MappingNode;
import org.snakeyaml.engine.v2.nodes.Node;
import org.snakeyaml.engine.v2.nodes.NodeTuple;
import org.snakeyaml.engine.v2.nodes.ScalarNode;
import org.snakeyaml.engine.v2.nodes.SequenceNode;

/**
 * YAML text to {@link Yaml}. One document; anchors, aliases and merge keys are followed; duplicate keys, keys that are not text, endless aliases
 * and files that grow when their aliases are written out are refused.
 */
public final class YamlReader {

    /** A configuration is a few kilobytes. */
    static final int LARGEST_FILE = 1 << 20;
    /** Nodes of a document with its aliases written out. */
    static final int MOST_NODES = 100_000;
    static final int DEEPEST = 64;

    private final String source;
    private final Map<Node, Boolean> open = new IdentityHashMap<>();
    private int nodes;

    private YamlReader(String source) {
        this.source = source;
    }

    /** Reads a file; places are named by the file's name as the user gave it. */
    public static Yaml.Mapping read(Path file) {
        try {
            if (Files.isDirectory(file)) {
                throw BadInput.of(BadInput.Common.CONFIG, "%s is a directory; --config takes one YAML file", file);
            }
            if (Files.size(file) > LARGEST_FILE) {
                throw BadInput.of(BadInput.Common.CONFIG, "%s has %d bytes; a configuration has at most %d", file, Files.size(file), LARGEST_FILE);
            }
            return document(file.toString(), Files.readString(file));
        } catch (NoSuchFileException e) {
            throw BadInput.of(BadInput.Common.CONFIG, "%s: there is no such file", file);
        } catch (CharacterCodingException e) {
            throw BadInput.of(BadInput.Common.CONFIG, "%s is not UTF-8 text", file);
        } catch (IOException e) {
            throw new BadInput(BadInput.Common.CONFIG, file + " cannot be read: " + e.getMessage(), e);
        }
    }

    /** A whole configuration: its top level is a mapping. */
    public static Yaml.Mapping document(String source, String text) {
        Yaml value = parse(source, text);
        if (value instanceof Yaml.Mapping m) {
            return m;
        }
        throw BadInput.of(BadInput.Common.CONFIG, "%s: the top level has to be a mapping (base, model, quant, ...), found %s", source, value.describe());
    }

    /** Any value; an empty text is a null scalar. */
    public static Yaml parse(String source, String text) {
        // The library reads in pieces, and fails where a piece ends within a pair of surrogates: one piece for all.
        LoadSettings settings = LoadSettings.builder().setLabel(source).setUseMarks(true).setCodePointLimit(LARGEST_FILE)
                .setBufferSize(text.length() + 2).setAllowRecursiveKeys(false).setAllowNonScalarKeys(true).setMaxAliasesForCollections(10_000).build();
        try {
            Optional<Node> root = new Compose(settings).composeString(text);
            return root.isEmpty() ? new Yaml.Scalar("", true, new Mark(source, 1, 1)) : new YamlReader(source).convert(root.get(), 0);
        } catch (MarkedYamlEngineException e) {
            Mark mark = e.getProblemMark().map(m -> new Mark(source, m.getLine() + 1, m.getColumn() + 1)).orElse(Mark.of(source));
            throw BadInput.of(BadInput.Common.CONFIG, "%s: not YAML: %s", mark, e.getProblem());
        } catch (YamlEngineException e) {
            throw BadInput.of(BadInput.Common.CONFIG, "%s: not YAML: %s", source, firstLine(e.getMessage()));
        } catch (StackOverflowError e) {
            throw BadInput.of(BadInput.Common.CONFIG, "%s: nested too deeply; at most %d levels", source, DEEPEST);
        }
    }

    private static String firstLine(String message) {
        return message == null ? "no reason given" : message.lines().findFirst().orElse("");
    }

    private Yaml convert(Node node, int depth) {
        Mark mark = mark(node);
        if (++nodes > MOST_NODES) {
            throw BadInput.of(BadInput.Common.CONFIG, "%s: the document has more than %d values once its aliases are written out", mark, MOST_NODES);
        }
        if (depth > DEEPEST) {
            throw BadInput.of(BadInput.Common.CONFIG, "%s: nested too deeply; at most %d levels", mark, DEEPEST);
        }
        if (open.put(node, true) != null) {
            throw BadInput.of(BadInput.Common.CONFIG, "%s: this anchor contains itself", mark);
        }
        try {
            return switch (node) {
                case ScalarNode s -> new Yaml.Scalar(s.getValue(), s.getScalarStyle() == ScalarStyle.PLAIN, mark);
                case SequenceNode s -> {
                    List<Yaml> items = new ArrayList<>();
                    for (Node item : s.getValue()) {
                        items.add(convert(item, depth + 1));
                    }
                    yield new Yaml.Sequence(List.copyOf(items), mark);
                }
                case MappingNode m -> mapping(m, mark, depth);
                default -> throw BadInput.of(BadInput.Common.CONFIG, "%s: cannot be read: %s", mark, node.getNodeType());
            };
        } finally {
            open.remove(node);
        }
    }

    private Yaml.Mapping mapping(MappingNode node, Mark mark, int depth) {
        Map<String, Yaml.Entry> entries = new LinkedHashMap<>();
        Map<String, Yaml.Entry> merged = new LinkedHashMap<>();
        Set<String> seen = new HashSet<>();
        for (NodeTuple tuple : node.getValue()) {
            Mark at = mark(tuple.getKeyNode());
            if (!(tuple.getKeyNode() instanceof ScalarNode key)) {
                throw BadInput.of(BadInput.Common.CONFIG, "%s: a key has to be a word", at);
            }
            if (!seen.add(key.getValue())) {
                throw BadInput.of(BadInput.Common.CONFIG, "%s: key '%s' is here for the second time in this mapping", at, key.getValue());
            }
            Yaml value = convert(tuple.getValueNode(), depth + 1);
            if (key.getValue().equals("<<") && key.getScalarStyle() == ScalarStyle.PLAIN) {
                List<Yaml> sources = value instanceof Yaml.Sequence s ? s.items() : List.of(value);
                for (Yaml from : sources) {
                    if (!(from instanceof Yaml.Mapping m)) {
                        throw BadInput.of(BadInput.Common.CONFIG, "%s: '<<' merges mappings, found %s", at, from.describe());
                    }
                    m.entries().forEach(merged::putIfAbsent);
                }
            } else {
                entries.put(key.getValue(), new Yaml.Entry(at, value));
            }
        }
        merged.forEach(entries::putIfAbsent);
        return new Yaml.Mapping(entries, mark);
    }

    private Mark mark(Node node) {
        return node.getStartMark().map(m -> new Mark(source, m.getLine() + 1, m.getColumn() + 1)).orElse(Mark.of(source));
    }
}
