package io.llmc4j.formats.text;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.llmc4j.engine.BadInput;
import java.io.IOException;
import java.util.Optional;

/**
 * What stands in {@code tokenizer_config.json} and matters for ids.
 *
 * @param addBos whether the tokenizer's class puts the begin token first; empty when the file does not say, and then tokenizer.json decides
 * @param addEos the same for the end token
 * @param truncateLeft whether truncation keeps the end instead of the beginning
 */
public record TokenizerConfig(Optional<Boolean> addBos, Optional<Boolean> addEos, Optional<String> bosToken, Optional<String> eosToken, boolean truncateLeft) {

    /** Nothing said. */
    public static final TokenizerConfig NONE = new TokenizerConfig(Optional.empty(), Optional.empty(), Optional.empty(), Optional.empty(), false);

    static final ObjectMapper JSON = new ObjectMapper(JsonFactory.builder()
            .streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(100).maxStringLength(50_000_000).build()).build())
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

    static TokenizerConfig parse(byte[] json, String where) {
        JsonNode root;
        try {
            root = JSON.readTree(json);
        } catch (JsonProcessingException e) {
            throw new BadInput(TokenizerError.BAD_CONFIG, where + ": not JSON: " + e.getOriginalMessage(), e);
        } catch (IOException e) {
            throw new BadInput(TokenizerError.BAD_CONFIG, where + ": not JSON text: " + e.getMessage(), e);
        }
        if (root == null || !root.isObject()) {
            throw BadInput.of(TokenizerError.BAD_CONFIG, "%s: not a JSON object", where);
        }
        return new TokenizerConfig(bool(root, "add_bos_token", where), bool(root, "add_eos_token", where), token(root, "bos_token", where),
                token(root, "eos_token", where), root.path("truncation_side").asText().equals("left"));
    }

    private static Optional<Boolean> bool(JsonNode root, String field, String where) {
        JsonNode n = root.path(field);
        if (n.isMissingNode() || n.isNull()) {
            return Optional.empty();
        }
        if (!n.isBoolean()) {
            throw BadInput.of(TokenizerError.BAD_CONFIG, "%s: %s is %s, expected true or false", where, field, n.getNodeType());
        }
        return Optional.of(n.booleanValue());
    }

    /** A special token is its text, or an object with its text under {@code content}. */
    private static Optional<String> token(JsonNode root, String field, String where) {
        JsonNode n = root.path(field);
        if (n.isMissingNode() || n.isNull()) {
            return Optional.empty();
        }
        JsonNode text = n.isObject() ? n.path("content") : n;
        if (!text.isTextual()) {
            throw BadInput.of(TokenizerError.BAD_CONFIG, "%s: %s is %s, expected text or an object with content", where, field, n.getNodeType());
        }
        return Optional.of(text.textValue());
    }
}
