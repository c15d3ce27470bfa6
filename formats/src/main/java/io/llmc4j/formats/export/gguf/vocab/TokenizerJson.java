package io.llmc4j.formats.export.gguf.vocab;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.llmc4j.engine.BadInput;
import io.llmc4j.formats.export.gguf.GgufError;
import io.llmc4j.formats.export.gguf.GgufMetadata;
import io.llmc4j.formats.export.gguf.GgufValue;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** A file's {@code tokenizer.*} metadata as a tokenizer.json: the other direction of {@link GgufVocabulary}. */
public final class TokenizerJson {

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String SPACE = "\u2581";
    private static final Set<String> WORDS = Set.of("gpt-2", "phi-2", "olmo", "mpt", "jais", "exaone4");
    private static final Set<String> DIGITS = Set.of("starcoder", "refact", "command-r", "smollm", "codeshell", "exaone", "minerva-7b");
    private static final Set<String> IGNORE_MERGES = Set.of("llama-bpe", "tekken");

    private final GgufMetadata m;
    private final List<String> tokens;
    private final long[] types;
    private final ObjectNode root = JSON.createObjectNode();

    private TokenizerJson(GgufMetadata m) {
        this.m = m;
        this.tokens = m.texts("tokenizer.ggml.tokens").orElseThrow(() -> BadInput.of(GgufError.METADATA, "the file has no tokenizer"));
        this.types = m.wholes("tokenizer.ggml.token_type").orElseGet(() -> new long[tokens.size()]);
        if (types.length != tokens.size()) {
            throw BadInput.of(GgufError.METADATA, "%d tokens have %d types", tokens.size(), types.length);
        }
    }

    /** The bytes; throws BadInput (NOT_SUPPORTED) for a tokenizer that is neither "gpt2" nor "llama", or whose splitting rule is not known. */
    public static byte[] of(GgufMetadata metadata) {
        TokenizerJson t = new TokenizerJson(metadata);
        t.build();
        try {
            return JSON.writeValueAsBytes(t.root);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void build() {
        root.put("version", "1.0");
        added();
        String model = m.needText("tokenizer.ggml.model");
        switch (model) {
            case "gpt2" -> byteLevel(m.text("tokenizer.ggml.pre").orElse("default"));
            case "llama" -> pieces();
            default -> throw BadInput.of(BadInput.Common.NOT_SUPPORTED, "the file's tokenizer is '%s'; 'gpt2' and 'llama' are read", model);
        }
        template();
    }

    private void added() {
        ArrayNode list = root.putArray("added_tokens");
        for (int i = 0; i < types.length; i++) {
            boolean control = types[i] == Token.Type.CONTROL.id() || types[i] == Token.Type.UNKNOWN.id();
            if (control || types[i] == Token.Type.USER_DEFINED.id()) {
                list.addObject().put("id", i).put("content", tokens.get(i)).put("single_word", false).put("lstrip", false).put("rstrip", false)
                        .put("normalized", false).put("special", control);
            }
        }
    }

    private void byteLevel(String pre) {
        ArrayNode steps = root.putObject("pre_tokenizer").put("type", "Sequence").putArray("pretokenizers");
        boolean words = WORDS.contains(pre) || DIGITS.contains(pre);
        if (DIGITS.contains(pre)) {
            steps.addObject().put("type", "Digits").put("individual_digits", true);
        } else if (!words) {
            String regex = PreTokenizers.regex(pre).orElseThrow(() -> BadInput.of(BadInput.Common.NOT_SUPPORTED,
                    "the file's tokenizer splits text by the rule '%s', which is not known here", pre));
            steps.addObject().put("type", "Split").put("behavior", "Isolated").put("invert", false).putObject("pattern").put("Regex", regex);
        }
        steps.addObject().put("type", "ByteLevel").put("add_prefix_space", false).put("trim_offsets", true).put("use_regex", words);
        root.putObject("decoder").put("type", "ByteLevel").put("add_prefix_space", true).put("trim_offsets", true).put("use_regex", true);
        ObjectNode bpe = bpe(false);
        bpe.put("ignore_merges", IGNORE_MERGES.contains(pre));
        ArrayNode merges = bpe.putArray("merges");
        m.texts("tokenizer.ggml.merges").orElse(List.of()).forEach(merges::add);
    }

    private ObjectNode bpe(boolean byteFallback) {
        ObjectNode bpe = root.putObject("model").put("type", "BPE").put("byte_fallback", byteFallback).put("fuse_unk", byteFallback);
        ObjectNode vocabulary = bpe.putObject("vocab");
        for (int i = 0; i < types.length; i++) {
            if (types[i] != Token.Type.UNUSED.id() && types[i] != Token.Type.USER_DEFINED.id()) {
                vocabulary.put(tokens.get(i), i);
            }
            if (byteFallback && types[i] == Token.Type.UNKNOWN.id()) {
                bpe.put("unk_token", tokens.get(i));
            }
        }
        return bpe;
    }

    /** SentencePiece: a piece's score says when it is merged; every pair of pieces that makes it is a merge. */
    private void pieces() {
        float[] scores = scores();
        ArrayNode normalizers = root.putObject("normalizer").put("type", "Sequence").putArray("normalizers");
        if (m.bool("tokenizer.ggml.add_space_prefix").orElse(true)) {
            normalizers.addObject().put("type", "Prepend").put("prepend", SPACE);
        }
        normalizers.addObject().put("type", "Replace").put("content", SPACE).putObject("pattern").put("String", " ");
        ArrayNode decoders = root.putObject("decoder").put("type", "Sequence").putArray("decoders");
        decoders.addObject().put("type", "Replace").put("content", " ").putObject("pattern").put("String", SPACE);
        decoders.addObject().put("type", "ByteFallback");
        decoders.addObject().put("type", "Fuse");
        decoders.addObject().put("type", "Strip").put("content", " ").put("start", 1).put("stop", 0);
        ArrayNode merges = bpe(true).putArray("merges");
        Map<String, Integer> ids = new HashMap<>();
        List<Integer> order = new ArrayList<>();
        for (int i = 0; i < types.length; i++) {
            if (types[i] == Token.Type.NORMAL.id()) {
                ids.put(tokens.get(i), i);
                order.add(i);
            }
        }
        order.sort(Comparator.comparingDouble((Integer i) -> -scores[i]).thenComparing(i -> i));
        for (int i : order) {
            pairs(tokens.get(i), ids).forEach(p -> merges.addArray().add(p.get(0)).add(p.get(1)));
        }
    }

    private float[] scores() {
        float[] scores = new float[types.length];
        List<GgufValue> list = m.array("tokenizer.ggml.scores", GgufValue.Kind.F32)
                .orElseThrow(() -> BadInput.of(GgufError.METADATA, "the file's tokenizer has no scores"));
        if (list.size() != scores.length) {
            throw BadInput.of(GgufError.METADATA, "%d tokens have %d scores", scores.length, list.size());
        }
        for (int i = 0; i < scores.length; i++) {
            scores[i] = (float) ((GgufValue.Real) list.get(i)).value();
        }
        return scores;
    }

    private static List<List<String>> pairs(String token, Map<String, Integer> ids) {
        List<List<String>> out = new ArrayList<>();
        for (int at = token.offsetByCodePoints(0, token.isEmpty() ? 0 : 1); at < token.length(); at = token.offsetByCodePoints(at, 1)) {
            String left = token.substring(0, at);
            String right = token.substring(at);
            if (ids.containsKey(left) && ids.containsKey(right)) {
                out.add(List.of(left, right));
            }
        }
        out.sort(Comparator.comparing((List<String> p) -> ids.get(p.get(0))).thenComparing(p -> ids.get(p.get(1))));
        return out;
    }

    /** The tokens that are put before and after a text. */
    private void template() {
        List<String> before = special("add_bos_token", "bos_token_id");
        List<String> after = special("add_eos_token", "eos_token_id");
        if (before.isEmpty() && after.isEmpty()) {
            return;
        }
        ObjectNode p = root.putObject("post_processor").put("type", "TemplateProcessing");
        for (String kind : List.of("single", "pair")) {
            ArrayNode list = p.putArray(kind);
            before.forEach(t -> list.addObject().putObject("SpecialToken").put("id", t).put("type_id", 0));
            list.addObject().putObject("Sequence").put("id", "A").put("type_id", 0);
            if (kind.equals("pair")) {
                list.addObject().putObject("Sequence").put("id", "B").put("type_id", 1);
            }
            after.forEach(t -> list.addObject().putObject("SpecialToken").put("id", t).put("type_id", 0));
        }
        ObjectNode known = p.putObject("special_tokens");
        List<String> all = new ArrayList<>(before);
        all.addAll(after);
        for (String t : all) {
            ObjectNode o = known.putObject(t).put("id", t);
            o.putArray("ids").add(tokens.indexOf(t));
            o.putArray("tokens").add(t);
        }
    }

    private List<String> special(String flag, String id) {
        int token = m.count("tokenizer.ggml." + id).orElse(-1);
        return m.bool("tokenizer.ggml." + flag).orElse(false) && token >= 0 && token < tokens.size() ? List.of(tokens.get(token)) : List.of();
    }
}
