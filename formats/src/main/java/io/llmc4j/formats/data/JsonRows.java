package io.llmc4j.formats.data;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import io.llmc4j.engine.BadInput;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Rows of text from JSON: a list of strings, a list of objects with a text field, or the same one value a line (JSON lines).
 * Reads a value at a time.
 */
final class JsonRows {

    /** Names that hold text, in the order in which they are looked for when none is given. */
    static final List<String> USUAL_FIELDS = List.of("text", "sentence", "content", "question", "prompt");

    static final JsonFactory JSON = JsonFactory.builder()
            .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
            .streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(200).maxStringLength(500_000_000).maxNumberLength(1000).build())
            .build();

    private JsonRows() {
    }

    static JsonParser parser(InputStream in) throws IOException {
        return JSON.createParser(new InputStreamReader(in, StandardCharsets.UTF_8.newDecoder()
                .onMalformedInput(CodingErrorAction.REPORT).onUnmappableCharacter(CodingErrorAction.REPORT)));
    }

    /** What a reader does with an open parser. */
    interface Reading<T> {
        T read(JsonParser p) throws IOException;
    }

    /** Runs it and turns what Java throws into BAD_JSON (with line and column), NOT_UTF8 and UNREADABLE. */
    static <T> T reading(InputStream in, String where, Reading<T> reading) {
        try (in; JsonParser p = parser(in)) {
            return reading.read(p);
        } catch (JsonProcessingException e) {
            String at = e.getLocation() == null ? "" : ":" + e.getLocation().getLineNr() + ":" + e.getLocation().getColumnNr();
            throw new BadInput(DataError.BAD_JSON, where + at + ": not JSON: " + e.getOriginalMessage(), e);
        } catch (CharacterCodingException e) {
            throw new BadInput(DataError.NOT_UTF8, where + ": not UTF-8 text", e);
        } catch (IOException e) {
            throw new BadInput(DataError.UNREADABLE, where + ": cannot be read: " + e.getMessage(), e);
        }
    }

    /** All rows. {@code field} is the wanted field of objects; without one, the first of {@link #USUAL_FIELDS} that the first object has. */
    static List<String> read(InputStream in, String where, Optional<String> field) {
        return reading(in, where, p -> {
            List<String> rows = new ArrayList<>();
            Optional<String> wanted = field;
            JsonToken t = p.nextToken();
            if (t == JsonToken.START_ARRAY) {
                while ((t = p.nextToken()) != JsonToken.END_ARRAY) {
                    wanted = row(p, t, where, wanted, rows);
                }
                if (p.nextToken() != null) {
                    throw BadInput.of(DataError.BAD_JSON, "%s: something follows the list", where);
                }
                return rows;
            }
            while (t != null) {
                if (t != JsonToken.START_OBJECT && t != JsonToken.VALUE_STRING) {
                    throw shape(where, rows.size() + 1, t);
                }
                wanted = row(p, t, where, wanted, rows);
                t = p.nextToken();
            }
            return rows;
        });
    }

    private static Optional<String> row(JsonParser p, JsonToken t, String where, Optional<String> wanted, List<String> rows) throws IOException {
        if (t == JsonToken.VALUE_STRING) {
            rows.add(p.getText());
            return wanted;
        }
        if (t != JsonToken.START_OBJECT) {
            throw shape(where, rows.size() + 1, t);
        }
        Map<String, String> texts = texts(p, wanted);
        Optional<String> chosen = wanted.isPresent() ? wanted : USUAL_FIELDS.stream().filter(texts::containsKey).findFirst();
        String text = chosen.map(texts::get).orElse(null);
        if (text == null) {
            throw BadInput.of(DataError.NO_TEXT_FIELD, "%s: row %d has no text field '%s'", where, rows.size() + 1, chosen.orElse(String.join("', '", USUAL_FIELDS)));
        }
        rows.add(text);
        return chosen;
    }

    /** The string fields of the object that begins here, or only the wanted one. */
    private static Map<String, String> texts(JsonParser p, Optional<String> wanted) throws IOException {
        Map<String, String> texts = new LinkedHashMap<>();
        while (p.nextToken() == JsonToken.FIELD_NAME) {
            String name = p.currentName();
            if (p.nextToken() == JsonToken.VALUE_STRING && (wanted.isPresent() ? wanted.get().equals(name) : USUAL_FIELDS.contains(name))) {
                texts.put(name, p.getText());
            } else {
                p.skipChildren();
            }
        }
        return texts;
    }

    private static BadInput shape(String where, int row, JsonToken t) {
        return BadInput.of(DataError.BAD_SHAPE, "%s: row %d is %s; expected a list of strings, or objects with a text field, or one such object a line", where, row,
                t == JsonToken.START_ARRAY ? "a list" : t.name().toLowerCase(java.util.Locale.ROOT).replace("value_", "a "));
    }
}
