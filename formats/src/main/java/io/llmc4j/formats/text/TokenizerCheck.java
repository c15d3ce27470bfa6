package io.llmc4j.formats.text;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import io.llmc4j.engine.BadInput;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;

/**
 * What tokenizer.json must be before the tokenizers library sees it. The library is native code: on some faults it does not report an error but ends
 * the process, and its errors say little about broken JSON.
 */
final class TokenizerCheck {

    private TokenizerCheck() {
    }

    /** Throws BAD_TOKENIZER. Tells why ids cannot be made text by it, or nothing where they can. */
    static Optional<String> check(byte[] json, String where) {
        Optional<String> undecodable = Optional.empty();
        boolean prefixed = false;
        try (JsonParser p = TokenizerConfig.JSON.getFactory().createParser(json)) {
            if (p.nextToken() != JsonToken.START_OBJECT) {
                throw BadInput.of(TokenizerError.BAD_TOKENIZER, "%s: not a JSON object", where);
            }
            while (p.nextToken() != null) {
                checkValue(p, where);
                prefixed |= p.currentToken() == JsonToken.VALUE_STRING && "continuing_subword_prefix".equals(p.currentName()) && p.getTextLength() > 0;
            }
        } catch (JsonProcessingException e) {
            throw new BadInput(TokenizerError.BAD_TOKENIZER, where + ": not JSON: " + e.getOriginalMessage(), e);
        } catch (IOException e) {
            throw new BadInput(TokenizerError.BAD_TOKENIZER, where + ": not JSON text: " + e.getMessage(), e);
        }
        try (JsonParser p = TokenizerConfig.JSON.getFactory().createParser(json)) {
            // a tree has the last of two members of one name, so values were looked at in the text
            while (p.nextToken() != null) {
                if (p.currentToken() != JsonToken.FIELD_NAME || !p.getParsingContext().getParent().inRoot()) {
                    continue;
                }
                switch (p.currentName()) {
                    case "post_processor" -> checkTemplates(value(p), where);
                    case "normalizer" -> checkNormalizer(value(p), where);
                    case "decoder" -> undecodable = undecodable(value(p));
                    case "model" -> {
                        if (prefixed) {
                            checkMerges(value(p), where);
                        }
                    }
                    default -> { }
                }
            }
        } catch (IOException e) {
            throw new BadInput(TokenizerError.BAD_TOKENIZER, where + ": not JSON text: " + e.getMessage(), e);
        }
        return undecodable;
    }

    /** A decoder that takes characters from the end takes them from tokens that have none left, and ends the process. */
    private static Optional<String> undecodable(JsonNode decoder) {
        for (JsonNode inner : decoder.path("decoders")) {
            Optional<String> why = undecodable(inner);
            if (why.isPresent()) {
                return why;
            }
        }
        return decoder.path("type").asText("Strip").equals("Strip") && decoder.path("stop").asDouble() > 0
                ? Optional.of("its decoder Strip takes characters from the end (stop " + decoder.path("stop") + "), which the tokenizers library can only do where they are") : Optional.empty();
    }

    /** What JSON's grammar allows and the library's reader does not: inside "decoder" it ends the process for that. */
    private static void checkValue(JsonParser p, String where) throws IOException {
        JsonToken t = p.currentToken();
        if ((t == JsonToken.VALUE_STRING || t == JsonToken.FIELD_NAME) && halfAPair(p.getText())) {
            throw BadInput.of(TokenizerError.BAD_TOKENIZER, "%s: a text with half a surrogate pair (\\ud800 to \\udfff without its other half) near byte %d", where,
                    p.currentLocation().getByteOffset());
        }
        if (t != null && t.isNumeric() && p.getText().length() > 3 && Double.isInfinite(p.getDoubleValue())) {
            throw BadInput.of(TokenizerError.BAD_TOKENIZER, "%s: the number %.40s is too large", where, p.getText());
        }
    }

    private static boolean halfAPair(String text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (Character.isHighSurrogate(c) && i + 1 < text.length() && Character.isLowSurrogate(text.charAt(i + 1))) {
                i++;
            } else if (Character.isSurrogate(c)) {
                return true;
            }
        }
        return false;
    }

    /** That of the member whose name was read. */
    private static JsonNode value(JsonParser p) throws IOException {
        p.nextToken();
        return TokenizerConfig.JSON.reader().without(DeserializationFeature.FAIL_ON_TRAILING_TOKENS).readTree(p);
    }

    /** The library cuts as many bytes from the second half of each merge as continuing_subword_prefix has, and ends the process where they are not there. */
    private static void checkMerges(JsonNode model, String where) {
        String prefix = model.path("continuing_subword_prefix").asText("");
        int length = prefix.getBytes(StandardCharsets.UTF_8).length;
        for (JsonNode merge : model.path("merges")) {
            String second = merge.isTextual() ? merge.textValue().substring(merge.textValue().lastIndexOf(' ') + 1) : merge.path(1).asText("");
            byte[] bytes = second.getBytes(StandardCharsets.UTF_8);
            if (length > bytes.length || length < bytes.length && (bytes[length] & 0xc0) == 0x80) {
                throw BadInput.of(TokenizerError.BAD_TOKENIZER, "%s: model.merges has '%s', which does not begin with model.continuing_subword_prefix '%s'", where, second, prefix);
            }
        }
    }

    private static void checkNormalizer(JsonNode normalizer, String where) {
        for (JsonNode inner : normalizer.path("normalizers")) {
            checkNormalizer(inner, where);
        }
        if (normalizer.path("type").asText().equals("Precompiled")) {
            CharsmapCheck.check(normalizer.path("precompiled_charsmap").asText(""), where);
        }
    }

    /** A template that names a special token which it does not define ends the process when the library encodes. */
    private static void checkTemplates(JsonNode postProcessor, String where) {
        for (JsonNode inner : postProcessor.path("processors")) {
            checkTemplates(inner, where);
        }
        JsonNode defined = postProcessor.path("special_tokens");
        for (String template : List.of("single", "pair")) {
            for (JsonNode piece : postProcessor.path(template)) {
                JsonNode id = piece.path("SpecialToken").path("id");
                if (id.isTextual() && !defined.has(id.textValue())) {
                    throw BadInput.of(TokenizerError.BAD_TOKENIZER, "%s: post_processor.%s names the special token '%s', which its special_tokens do not define", where,
                            template, id.textValue());
                }
            }
        }
    }
}
