package io.llmc4j.formats.data;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import io.llmc4j.engine.BadInput;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** LLMC's custom data: a folder with {@code samples.json}, a list of objects of which the text fields are read here. */
public final class CustomSamples {

    /** One sample; a missing field is the empty string. */
    public record Sample(String question, String answer, String prompt) {
    }

    private CustomSamples() {
    }

    /** Throws UNREADABLE, BAD_JSON, BAD_SHAPE; NOT_SUPPORTED for samples with images or audio. */
    public static List<Sample> read(Path folder) {
        Path file = folder.resolve("samples.json");
        return JsonRows.reading(DataFiles.open(file), file.toString(), p -> {
            if (p.nextToken() != JsonToken.START_ARRAY) {
                throw BadInput.of(DataError.BAD_SHAPE, "%s: not a list of objects", file);
            }
            List<Sample> samples = new ArrayList<>();
            while (p.nextToken() != JsonToken.END_ARRAY) {
                samples.add(sample(p, file, samples.size()));
            }
            return samples;
        });
    }

    private static Sample sample(JsonParser p, Path file, int index) throws IOException {
        if (p.currentToken() != JsonToken.START_OBJECT) {
            throw BadInput.of(DataError.BAD_SHAPE, "%s: sample %d is not an object", file, index + 1);
        }
        String question = "";
        String answer = "";
        String prompt = "";
        while (p.nextToken() == JsonToken.FIELD_NAME) {
            String field = p.currentName();
            JsonToken value = p.nextToken();
            switch (field) {
                case "question" -> question = text(p, file, index, field);
                case "answer" -> answer = text(p, file, index, field);
                case "prompt" -> prompt = text(p, file, index, field);
                case "image", "audio" -> {
                    if (value != JsonToken.VALUE_NULL) {
                        throw BadInput.of(DataError.NOT_SUPPORTED, "%s: sample %d has an %s; only text samples are read here", file, index + 1, field);
                    }
                }
                default -> p.skipChildren();
            }
        }
        return new Sample(question, answer, prompt);
    }

    private static String text(JsonParser p, Path file, int index, String field) throws IOException {
        if (p.currentToken() == JsonToken.VALUE_NULL) {
            return "";
        }
        if (p.currentToken() != JsonToken.VALUE_STRING) {
            throw BadInput.of(DataError.BAD_SHAPE, "%s: %s of sample %d is not text", file, field, index + 1);
        }
        return p.getText();
    }
}
