package io.llmc4j.engine.safetensors;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import io.llmc4j.engine.BadInput;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalLong;

/**
 * The index of a sharded checkpoint: {@code {"metadata": {"total_size": bytes}, "weight_map": {tensor: file}}}. File names are names in the same
 * directory; a path is refused.
 */
public record CheckpointIndex(Map<String, String> weightMap, OptionalLong totalSize) {

    private static final int MAX_BYTES = 200_000_000;

    /** Parses and checks an index; {@code where} names it in errors. Whether the shards are there is {@link Checkpoint}'s matter. */
    public static CheckpointIndex parse(byte[] json, String where) {
        if (json.length > MAX_BYTES) {
            throw BadInput.of(SafetensorsError.INDEX_BAD_JSON, "%s: an index of %d bytes, at most %d are taken", where, json.length, MAX_BYTES);
        }
        try (JsonParser p = SafetensorsHeader.JSON.createParser(new InputStreamReader(new ByteArrayInputStream(json), StandardCharsets.UTF_8.newDecoder()
                .onMalformedInput(CodingErrorAction.REPORT).onUnmappableCharacter(CodingErrorAction.REPORT)))) {
            return parse(p, where);
        } catch (JsonProcessingException e) {
            throw new BadInput(SafetensorsError.INDEX_BAD_JSON, where + ": not JSON: " + e.getOriginalMessage(), e);
        } catch (IOException e) {
            throw new BadInput(SafetensorsError.INDEX_BAD_JSON, where + ": not UTF-8 text", e);
        }
    }

    private static CheckpointIndex parse(JsonParser p, String where) throws IOException {
        if (p.nextToken() != JsonToken.START_OBJECT) {
            throw BadInput.of(SafetensorsError.INDEX_BAD_JSON, "%s: not a JSON object", where);
        }
        Map<String, String> map = null;
        OptionalLong total = OptionalLong.empty();
        while (p.nextToken() == JsonToken.FIELD_NAME) {
            String field = p.currentName();
            JsonToken value = p.nextToken();
            if (field.equals("weight_map")) {
                if (map != null) {
                    throw BadInput.of(SafetensorsError.INDEX_DUPLICATE_KEY, "%s: weight_map is there twice", where);
                }
                map = weightMap(p, value, where);
            } else if (field.equals("metadata") && value == JsonToken.START_OBJECT) {
                total = totalSize(p);
            } else {
                p.skipChildren();
            }
        }
        if (p.nextToken() != null) {
            throw BadInput.of(SafetensorsError.INDEX_BAD_JSON, "%s: something follows the closing brace", where);
        }
        if (map == null || map.isEmpty()) {
            throw BadInput.of(SafetensorsError.INDEX_BAD_MAP, "%s: no weight_map, or an empty one", where);
        }
        return new CheckpointIndex(Collections.unmodifiableMap(map), total);
    }

    private static Map<String, String> weightMap(JsonParser p, JsonToken value, String where) throws IOException {
        if (value != JsonToken.START_OBJECT) {
            throw BadInput.of(SafetensorsError.INDEX_BAD_MAP, "%s: weight_map is not an object", where);
        }
        Map<String, String> map = new LinkedHashMap<>();
        while (p.nextToken() == JsonToken.FIELD_NAME) {
            String tensor = p.currentName();
            if (p.nextToken() != JsonToken.VALUE_STRING) {
                throw BadInput.of(SafetensorsError.INDEX_BAD_MAP, "%s: the file of tensor '%s' is not a string", where, tensor);
            }
            String file = p.getText();
            if (file.isEmpty() || file.length() > 255 || file.startsWith(".") || file.chars().anyMatch(c -> c == '/' || c == '\\' || c == ':' || c < ' ')) {
                throw BadInput.of(SafetensorsError.INDEX_PATH_IN_NAME, "%s: tensor '%s' is in '%s'; a shard is the plain name of a file beside the index",
                        where, tensor, file.length() > 80 ? file.substring(0, 80) + "…" : file);
            }
            if (map.size() == SafetensorsHeader.MAX_TENSORS) {
                throw BadInput.of(SafetensorsError.TOO_MANY_TENSORS, "%s: more than %d tensors", where, SafetensorsHeader.MAX_TENSORS);
            }
            if (map.put(tensor, file) != null) {
                throw BadInput.of(SafetensorsError.INDEX_DUPLICATE_KEY, "%s: tensor '%s' is twice in weight_map", where, tensor);
            }
        }
        return map;
    }

    /** Old tools wrote a float here; what is no whole number is as good as absent. */
    private static OptionalLong totalSize(JsonParser p) throws IOException {
        OptionalLong total = OptionalLong.empty();
        while (p.nextToken() == JsonToken.FIELD_NAME) {
            boolean wanted = p.currentName().equals("total_size");
            JsonToken value = p.nextToken();
            if (wanted && value == JsonToken.VALUE_NUMBER_INT && p.getNumberType() != JsonParser.NumberType.BIG_INTEGER) {
                total = OptionalLong.of(p.getLongValue());
            } else {
                p.skipChildren();
            }
        }
        return total;
    }
}
