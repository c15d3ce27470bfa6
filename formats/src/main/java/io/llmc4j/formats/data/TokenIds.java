package io.llmc4j.formats.data;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.safetensors.SafetensorsFile;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Data that is token ids already: {@code .json} with a list of lists, or a safetensors file with {@code input_ids} of shape [samples, length]. */
public final class TokenIds {

    private TokenIds() {
    }

    /** Whether a file holds ids rather than text: a safetensors file, or JSON whose first element is a list. */
    public static boolean isTokenIds(Path file) {
        String name = DataFiles.plainName(file);
        if (Files.isDirectory(file)) {
            return false;
        }
        if (name.endsWith(".safetensors")) {
            return true;
        }
        if (!name.endsWith(".json")) {
            return false;
        }
        return JsonRows.reading(DataFiles.open(file), file.toString(), p -> p.nextToken() == JsonToken.START_ARRAY && p.nextToken() == JsonToken.START_ARRAY);
    }

    /** The rows. Throws BAD_SHAPE, BAD_TOKENS (an id outside 0 … vocabulary - 1), EMPTY. */
    public static Windows read(Path file, int vocabulary) {
        List<int[]> rows = DataFiles.plainName(file).endsWith(".safetensors") ? tensor(file)
                : JsonRows.reading(DataFiles.open(file), file.toString(), p -> lists(p, file));
        if (rows.isEmpty()) {
            throw BadInput.of(DataError.EMPTY, "%s: no rows of token ids", file);
        }
        for (int r = 0; r < rows.size(); r++) {
            for (int id : rows.get(r)) {
                if (id < 0 || id >= vocabulary) {
                    throw BadInput.of(DataError.BAD_TOKENS, "%s: row %d has the id %d; the model's vocabulary has 0 to %d; are the ids another tokenizer's?",
                            file, r + 1, id, vocabulary - 1);
                }
            }
        }
        return Windows.of(rows);
    }

    private static List<int[]> tensor(Path file) {
        try (SafetensorsFile f = SafetensorsFile.open(file)) {
            Tensor t = f.find("input_ids").orElseThrow(() -> BadInput.of(DataError.BAD_SHAPE, "%s: no tensor input_ids", file));
            if (t.dtype().isFloat() || t.dtype().bytes() == 0 || t.shape().rank() < 1 || t.shape().rank() > 2 || t.elements() == 0) {
                throw BadInput.of(DataError.BAD_SHAPE, "%s: input_ids is %s%s, expected integers of shape [samples, length]", file, t.dtype(), t.shape());
            }
            int length = Math.toIntExact(t.shape().dim(-1));
            int[] all;
            try {
                all = Tensors.toInts(t);
            } catch (ArithmeticException | IllegalArgumentException e) {
                throw new BadInput(DataError.BAD_TOKENS, file + ": input_ids holds numbers that are no token ids", e);
            }
            List<int[]> rows = new ArrayList<>();
            for (int i = 0; i < all.length; i += length) {
                rows.add(Arrays.copyOfRange(all, i, i + length));
            }
            return rows;
        }
    }

    private static List<int[]> lists(JsonParser p, Path file) throws IOException {
        if (p.nextToken() != JsonToken.START_ARRAY) {
            throw BadInput.of(DataError.BAD_SHAPE, "%s: not a list of lists of token ids", file);
        }
        List<int[]> rows = new ArrayList<>();
        while (p.nextToken() != JsonToken.END_ARRAY) {
            if (p.currentToken() != JsonToken.START_ARRAY) {
                throw BadInput.of(DataError.BAD_SHAPE, "%s: row %d is not a list of token ids", file, rows.size() + 1);
            }
            int[] row = new int[64];
            int n = 0;
            while (p.nextToken() != JsonToken.END_ARRAY) {
                if (p.currentToken() != JsonToken.VALUE_NUMBER_INT || p.getNumberType() != JsonParser.NumberType.INT) {
                    throw BadInput.of(DataError.BAD_TOKENS, "%s: row %d holds something that is no token id", file, rows.size() + 1);
                }
                if (n == row.length) {
                    row = Arrays.copyOf(row, 2 * n);
                }
                row[n++] = p.getIntValue();
            }
            rows.add(Arrays.copyOf(row, n));
        }
        return rows;
    }
}
