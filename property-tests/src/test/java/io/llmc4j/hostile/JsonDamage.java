package io.llmc4j.hostile;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** JSON that stays JSON and means something else: values of other types, parts that are missing, renamed or stand in another's place. */
final class JsonDamage {

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final List<String> VALUES = List.of("null", "true", "false", "0", "1", "-1", "3", "4294967296", "18446744073709551615", "1e300", "-0.5", "\"\"", "\"a\"",
            "\"[CLS]\"", "\"<s>\"", "\"\\u0120\"", "\"\\u0000\"", "\"(\"", "\"\\\\p{L}+\"", "[]", "{}", "[null]", "[[\"a\",0]]", "[\"a\",\"b\"]", "{\"a\":0}", "{\"type\":\"Sequence\"}",
            "{\"String\":\"\"}", "{\"Regex\":\"(a*)*$\"}");
    private static final List<String> NAMES = List.of("BPE", "WordPiece", "WordLevel", "Unigram", "ByteLevel", "Metaspace", "Sequence", "Split", "Digits", "Whitespace", "Punctuation",
            "BertPreTokenizer", "BertNormalizer", "NFC", "NFKC", "Lowercase", "Replace", "Prepend", "Strip", "StripAccents", "Precompiled", "TemplateProcessing", "BertProcessing",
            "RobertaProcessing", "ByteFallback", "Fuse", "CTC", "BPEDecoder", "Isolated", "Removed", "MergedWithNext", "first", "always", "never", "Fixed", "BatchLongest", "Right", "Left",
            "LongestFirst", "OnlySecond");

    private JsonDamage() {
    }

    /** One to three changes. */
    static byte[] to(byte[] good, Random random) throws IOException {
        JsonNode root = JSON.readTree(good);
        for (int n = 1 + random.nextInt(3); n > 0; n--) {
            JsonNode place = root;
            while (true) {
                List<JsonNode> inner = containers(place);
                if (inner.isEmpty() || random.nextInt(3) == 0) {
                    break;
                }
                place = inner.get(random.nextInt(inner.size()));
            }
            change(place, root, random);
        }
        return JSON.writeValueAsBytes(root);
    }

    private static List<JsonNode> containers(JsonNode n) {
        List<JsonNode> out = new ArrayList<>();
        n.forEach(c -> {
            if (c.isContainerNode() && !c.isEmpty()) {
                out.add(c);
            }
        });
        return out;
    }

    private static JsonNode value(JsonNode root, Random random) throws IOException {
        return switch (random.nextInt(4)) {
            case 0 -> JSON.getNodeFactory().textNode(NAMES.get(random.nextInt(NAMES.size())));
            case 1 -> {
                List<JsonNode> parts = containers(root);
                yield parts.isEmpty() ? root.deepCopy() : parts.get(random.nextInt(parts.size())).deepCopy();
            }
            default -> JSON.readTree(VALUES.get(random.nextInt(VALUES.size())));
        };
    }

    private static void change(JsonNode place, JsonNode root, Random random) throws IOException {
        if (place instanceof ObjectNode o && !o.isEmpty()) {
            List<String> names = new ArrayList<>();
            o.fieldNames().forEachRemaining(names::add);
            String name = names.get(random.nextInt(names.size()));
            switch (random.nextInt(4)) {
                case 0 -> o.remove(name);
                case 1 -> o.set(NAMES.get(random.nextInt(NAMES.size())), o.remove(name));
                default -> o.set(name, value(root, random));
            }
        } else if (place instanceof ArrayNode a && !a.isEmpty()) {
            int i = random.nextInt(a.size());
            switch (random.nextInt(4)) {
                case 0 -> a.remove(i);
                case 1 -> a.insert(i, value(root, random));
                default -> a.set(i, value(root, random));
            }
        }
    }
}
