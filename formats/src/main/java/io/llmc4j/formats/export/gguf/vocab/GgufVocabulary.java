package io.llmc4j.formats.export.gguf.vocab;

import com.fasterxml.jackson.databind.JsonNode;
import io.llmc4j.engine.BadInput;
import io.llmc4j.formats.export.gguf.GgufMetadata;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A model directory's tokenizer as {@code tokenizer.*} metadata. */
public final class GgufVocabulary {

    /** Score of tokens that were added to a SentencePiece vocabulary. */
    private static final float ADDED = -1000f;
    private static final String SPACE = "\u2581";

    private final Path directory;
    private final JsonNode tokenizer;
    private final JsonNode config;
    private final String arch;
    private final int size;

    private GgufVocabulary(Path directory, String arch, int size) {
        this.directory = directory;
        this.tokenizer = JsonFiles.read(directory, "tokenizer.json");
        this.config = JsonFiles.read(directory, "tokenizer_config.json");
        this.arch = arch;
        this.size = size;
    }

    /**
     * Adds the keys.
     *
     * @param arch llama.cpp's architecture name
     * @param size rows of the embedding: ids that the tokenizer does not have are written as unused
     */
    public static void write(Path directory, String arch, int size, GgufMetadata to) {
        new GgufVocabulary(directory, arch, size).write(to);
    }

    private void write(GgufMetadata to) {
        if (Files.exists(directory.resolve("tokenizer.model")) && !isByteLevel()) {
            writeSentencePiece(SentencePieceModel.read(directory.resolve("tokenizer.model")), to);
        } else if (tokenizer.isMissingNode()) {
            throw BadInput.of(BadInput.Common.MODEL, "%s has neither tokenizer.json nor tokenizer.model; a GGUF file carries its tokenizer", directory);
        } else if (isByteLevel()) {
            writeByteLevel(to);
        } else if (model().path("byte_fallback").asBoolean(false) && modelType().equals("BPE")) {
            writePieces(piecesOfBpe(), to);
        } else if (modelType().equals("Unigram")) {
            throw BadInput.of(BadInput.Common.NOT_SUPPORTED, "%s: a Unigram tokenizer.json without tokenizer.model cannot be written as GGUF", directory);
        } else {
            throw BadInput.of(BadInput.Common.NOT_SUPPORTED, "%s: a %s tokenizer that is neither byte-level nor has byte fallback", directory, modelType());
        }
        SpecialTokens.write(directory, tokenizer, config, size, to);
    }

    private JsonNode model() {
        return tokenizer.path("model");
    }

    private String modelType() {
        // Files of old versions leave the type out; merges are BPE's.
        return model().path("type").asText(model().has("merges") ? "BPE" : "unknown");
    }

    private boolean isByteLevel() {
        return modelType().equals("BPE") && !model().path("byte_fallback").asBoolean(false) && hasByteLevel(tokenizer.path("pre_tokenizer"));
    }

    private static boolean hasByteLevel(JsonNode node) {
        if (node.path("type").asText().equals("ByteLevel")) {
            return true;
        }
        for (JsonNode n : node.path("pretokenizers")) {
            if (hasByteLevel(n)) {
                return true;
            }
        }
        return false;
    }

    private void writeByteLevel(GgufMetadata to) {
        to.text("tokenizer.ggml.model", "gpt2");
        to.text("tokenizer.ggml.pre", PreTokenizers.name(tokenizer, arch, model().path("ignore_merges").asBoolean(false)));
        Token[] tokens = padded();
        model().path("vocab").properties().forEach(e -> put(tokens, e.getValue().asInt(-1), new Token(e.getKey(), 0f, Token.Type.NORMAL)));
        putAdded(tokens, 0f);
        writeTokens(tokens, false, to);
        List<String> merges = new ArrayList<>();
        for (JsonNode m : model().path("merges")) {
            merges.add(m.isTextual() ? m.asText() : escaped(m.path(0).asText()) + " " + escaped(m.path(1).asText()));
        }
        to.texts("tokenizer.ggml.merges", merges);
    }

    /** A space inside a token of a merge would look like the separator. */
    private static String escaped(String token) {
        return token.replace(' ', '\u0120');
    }

    private Token[] padded() {
        Token[] tokens = new Token[size];
        for (int i = 0; i < size; i++) {
            tokens[i] = Token.padding(i);
        }
        return tokens;
    }

    private void put(Token[] tokens, int id, Token token) {
        if (id < 0 || id >= size) {
            throw BadInput.of(BadInput.Common.MODEL, "%s: the token %s has the id %d; the embedding has %d rows", directory, token.text(), id, size);
        }
        tokens[id] = token;
    }

    /** Added tokens; llama.cpp matches those that are no controls against the text itself, so their spaces are spaces. */
    private void putAdded(Token[] tokens, float score) {
        for (JsonNode t : tokenizer.path("added_tokens")) {
            String text = t.path("content").asText();
            boolean control = t.path("special").asBoolean(false) || looksSpecial(text);
            int id = t.path("id").asInt(-1);
            Token.Type old = id >= 0 && id < size ? tokens[id].type() : Token.Type.UNUSED;
            if (old == Token.Type.UNKNOWN || old == Token.Type.BYTE) {
                continue;
            }
            put(tokens, id, new Token(control ? text : text.replace(SPACE, " "), score, control ? Token.Type.CONTROL : Token.Type.USER_DEFINED));
        }
    }

    /** Tokens that are marks by their form though their file does not say so. */
    private static boolean looksSpecial(String text) {
        return text.startsWith("<|") && text.endsWith("|>") || text.startsWith("<｜") && text.endsWith("｜>")
                || List.of("<pad>", "<mask>", "<2mass>", "[@BOS@]").contains(text)
                || text.startsWith("<unused") && text.endsWith(">");
    }

    private void writeSentencePiece(SentencePieceModel model, GgufMetadata to) {
        Token[] tokens = padded();
        for (int i = 0; i < Math.min(size, model.pieces().size()); i++) {
            tokens[i] = model.pieces().get(i);
        }
        putAdded(tokens, ADDED);
        writePieces(tokens, to);
        to.bool("tokenizer.ggml.add_space_prefix", config.path("add_prefix_space").asBoolean(model.dummyPrefix()));
        if (!model.bpe()) {
            throw BadInput.of(BadInput.Common.NOT_SUPPORTED, "%s: a Unigram SentencePiece model; llama.cpp reads such for T5 only", directory);
        }
    }

    private void writePieces(Token[] tokens, GgufMetadata to) {
        to.text("tokenizer.ggml.model", "llama");
        to.text("tokenizer.ggml.pre", "default");
        writeTokens(tokens, true, to);
    }

    /** Pieces of a converted SentencePiece tokenizer: what a merge makes has minus the merge's rank as its score, which gives the same merges. */
    private Token[] piecesOfBpe() {
        Map<String, Integer> rank = new HashMap<>();
        int n = 0;
        for (JsonNode m : model().path("merges")) {
            String made = m.isTextual() ? m.asText().replaceFirst(" ", "") : m.path(0).asText() + m.path(1).asText();
            rank.putIfAbsent(made, n++);
        }
        int unmerged = n;
        String unknown = model().path("unk_token").asText("");
        Token[] tokens = padded();
        model().path("vocab").properties().forEach(e -> {
            String text = e.getKey();
            Token.Type type = text.matches("<0x[0-9A-Fa-f]{2}>") ? Token.Type.BYTE : text.equals(unknown) ? Token.Type.UNKNOWN : Token.Type.NORMAL;
            float score = type == Token.Type.NORMAL ? -rank.getOrDefault(text, unmerged) : 0f;
            put(tokens, e.getValue().asInt(-1), new Token(text, score, type));
        });
        putAdded(tokens, ADDED);
        return tokens;
    }

    private void writeTokens(Token[] tokens, boolean scores, GgufMetadata to) {
        List<String> texts = new ArrayList<>(size);
        float[] score = new float[size];
        int[] types = new int[size];
        for (int i = 0; i < size; i++) {
            texts.add(tokens[i].text());
            score[i] = tokens[i].score();
            types[i] = tokens[i].type().id();
        }
        to.texts("tokenizer.ggml.tokens", texts);
        if (scores) {
            to.f32s("tokenizer.ggml.scores", score);
        }
        to.i32s("tokenizer.ggml.token_type", types);
    }
}
