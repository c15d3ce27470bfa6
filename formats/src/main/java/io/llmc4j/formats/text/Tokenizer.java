package io.llmc4j.formats.text;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import io.llmc4j.engine.BadInput;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * A model's tokenizer. Encodes whole texts of any length in one call. Special tokens: what {@code add_bos_token} and {@code add_eos_token} of the
 * tokenizer configuration say, where they say something; else what tokenizer.json's post-processor puts around a text.
 *
 * <p>Safe for use by several threads. Owns native memory until {@link #close}.
 */
public final class Tokenizer implements AutoCloseable {

    /** The library would ask the network for GPU builds and report its use; this toolkit does neither. */
    static {
        System.setProperty("ai.djl.offline", "true");
        System.setProperty("OPT_OUT_TRACKING", "true");
    }

    private static final int MAX_BYTES = 500_000_000;

    private final String where;
    private final HuggingFaceTokenizer tokenizer;
    private final TokenizerConfig config;
    private final Optional<String> undecodable;

    private Tokenizer(String where, HuggingFaceTokenizer tokenizer, TokenizerConfig config, Optional<String> undecodable) {
        this.undecodable = undecodable;
        this.where = where;
        this.tokenizer = tokenizer;
        this.config = config;
    }

    /** The tokenizer of a model directory. Throws MISSING, UNREADABLE, BAD_TOKENIZER, BAD_CONFIG. */
    public static Tokenizer open(Path modelDirectory) {
        Path file = modelDirectory.resolve("tokenizer.json");
        if (!Files.isRegularFile(file)) {
            List<String> others = List.of("tokenizer.model", "vocab.json", "merges.txt", "tiktoken.model", "spiece.model").stream()
                    .filter(n -> Files.exists(modelDirectory.resolve(n))).toList();
            throw BadInput.of(TokenizerError.MISSING, "%s holds no tokenizer.json%s", modelDirectory, others.isEmpty() ? ""
                    : "; its " + String.join(", ", others) + " cannot be read here: save the fast tokenizer (tokenizer.json) beside it");
        }
        try {
            Path config = modelDirectory.resolve("tokenizer_config.json");
            if (Files.size(file) > MAX_BYTES || Files.exists(config) && Files.size(config) > MAX_BYTES) {
                throw BadInput.of(TokenizerError.UNREADABLE, "%s: a tokenizer of more than %d bytes", modelDirectory, MAX_BYTES);
            }
            TokenizerConfig c = Files.isRegularFile(config) ? TokenizerConfig.parse(Files.readAllBytes(config), config.toString()) : TokenizerConfig.NONE;
            return parse(Files.readAllBytes(file), c, file.toString());
        } catch (IOException e) {
            throw new BadInput(TokenizerError.UNREADABLE, modelDirectory + ": the tokenizer cannot be read: " + e.getMessage(), e);
        }
    }

    /** From the bytes of the two files; an empty configuration says nothing. {@code where} is for messages. */
    public static Tokenizer of(byte[] tokenizerJson, byte[] tokenizerConfigJson, String where) {
        TokenizerConfig c = tokenizerConfigJson.length == 0 ? TokenizerConfig.NONE : TokenizerConfig.parse(tokenizerConfigJson, where + " (configuration)");
        return parse(tokenizerJson, c, where);
    }

    private static Tokenizer parse(byte[] json, TokenizerConfig config, String where) {
        Optional<String> undecodable = TokenizerCheck.check(json, where);
        HuggingFaceTokenizer t;
        try {
            t = HuggingFaceTokenizer.newInstance(new ByteArrayInputStream(json), Map.of("truncation", "false", "padding", "false", "addSpecialTokens", "true"));
        } catch (IOException | RuntimeException e) {
            throw new BadInput(TokenizerError.BAD_TOKENIZER, where + ": the tokenizers library does not take it: " + firstLine(e), e);
        }
        return new Tokenizer(where, t, config, undecodable);
    }

    private static String firstLine(Exception e) {
        String m = String.valueOf(e.getMessage()).lines().findFirst().orElse("");
        return m.length() > 300 ? m.substring(0, 300) + "…" : m;
    }

    /** The ids of a text, with the model's special tokens. */
    public int[] encode(String text) {
        return encode(text, true);
    }

    /** The ids of a text. */
    public int[] encode(String text, boolean addSpecialTokens) {
        if (!addSpecialTokens) {
            return raw(text, false);
        }
        if (config.addBos().isEmpty() && config.addEos().isEmpty()) {
            return raw(text, true);
        }
        int[] body = raw(text, false);
        int before = config.addBos().orElse(false) ? 1 : 0;
        int after = config.addEos().orElse(false) ? 1 : 0;
        int[] ids = new int[before + body.length + after];
        System.arraycopy(body, 0, ids, before, body.length);
        if (before == 1) {
            ids[0] = special("bos_token", bosId());
        }
        if (after == 1) {
            ids[ids.length - 1] = special("eos_token", eosId());
        }
        return ids;
    }

    /** With special tokens, cut to at most {@code maxLength} ids in all: room for the special tokens is kept, and the text gives way. */
    public int[] encodeTruncated(String text, int maxLength, boolean addSpecialTokens) {
        int[] all = encode(text, addSpecialTokens);
        if (all.length <= maxLength) {
            return all;
        }
        int[] body = addSpecialTokens ? encode(text, false) : all;
        int extra = all.length - body.length;
        int before = 0;
        while (before < extra && !Arrays.equals(all, before, before + body.length, body, 0, body.length)) {
            before++;
        }
        int keep = Math.max(0, maxLength - extra);
        int from = config.truncateLeft() ? body.length - keep : 0;
        int[] ids = new int[extra + keep];
        System.arraycopy(all, 0, ids, 0, before);
        System.arraycopy(body, from, ids, before, keep);
        System.arraycopy(all, before + body.length, ids, before + keep, extra - before);
        return ids;
    }

    private static int special(String what, OptionalInt id) {
        return id.orElseThrow(() -> BadInput.of(TokenizerError.NO_SPECIAL_TOKEN,
                "the tokenizer configuration asks for a %s but names none that is one token of the vocabulary", what));
    }

    /** Ids straight from the library: its own wrapper also builds a string and a span for every token, which a long text pays for. */
    private int[] raw(String text, boolean addSpecialTokens) {
        long encoding;
        try {
            encoding = TokenizersLibrary.LIB.encode(tokenizer.getHandle(), text, addSpecialTokens);
        } catch (RuntimeException e) {
            throw new BadInput(TokenizerError.BAD_TOKENIZER, where + ": the tokenizers library cannot encode: " + firstLine(e), e);
        }
        try {
            long[] ids = TokenizersLibrary.LIB.getTokenIds(encoding);
            int[] out = new int[ids.length];
            for (int i = 0; i < ids.length; i++) {
                out[i] = (int) ids[i];
            }
            return out;
        } finally {
            TokenizersLibrary.LIB.deleteEncoding(encoding);
        }
    }

    /** Text of ids; special tokens are left out if asked. Ids that do not exist give no text. Throws BAD_TOKENIZER where the tokenizer's decoder is not safe. */
    public String decode(int[] ids, boolean skipSpecialTokens) {
        if (undecodable.isPresent()) {
            throw BadInput.of(TokenizerError.BAD_TOKENIZER, "%s: ids cannot be made text: %s", where, undecodable.get());
        }
        return tokenizer.decode(Arrays.stream(ids).asLongStream().toArray(), skipSpecialTokens);
    }

    /** The id of a special token's text, where that is one token. */
    public OptionalInt id(String token) {
        int[] ids = raw(token, false);
        return ids.length == 1 ? OptionalInt.of(ids[0]) : OptionalInt.empty();
    }

    public OptionalInt bosId() {
        return config.bosToken().map(this::id).orElse(OptionalInt.empty());
    }

    public OptionalInt eosId() {
        return config.eosToken().map(this::id).orElse(OptionalInt.empty());
    }

    public TokenizerConfig config() {
        return config;
    }

    @Override
    public void close() {
        tokenizer.close();
    }
}
