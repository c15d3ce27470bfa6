package io.llmc4j.formats.data;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.core.JsonProcessingException;
import io.llmc4j.engine.BadInput;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Folders that the datasets library's {@code save_to_disk} writes: {@code state.json} lists Arrow files; {@code dataset_dict.json} lists splits in sub-folders. */
final class SavedDataset {

    private static final ObjectMapper JSON = new ObjectMapper(JsonRows.JSON);

    private SavedDataset() {
    }

    /** The Arrow files of a data set, in their order. Throws AMBIGUOUS_SPLIT, BAD_JSON, BAD_SHAPE, UNREADABLE. */
    static List<Path> files(Path dir, Optional<String> split) {
        Path dict = dir.resolve("dataset_dict.json");
        if (Files.exists(dict)) {
            List<String> splits = new ArrayList<>();
            for (JsonNode n : json(dict).path("splits")) {
                splits.add(plain(n, dict));
            }
            if (split.isPresent() && splits.contains(split.get())) {
                return files(dir.resolve(split.get()), Optional.empty());
            }
            if (splits.size() == 1 && split.isEmpty()) {
                return files(dir.resolve(splits.getFirst()), Optional.empty());
            }
            throw BadInput.of(DataError.AMBIGUOUS_SPLIT, "%s has the splits %s%s; name the folder of one", dir, splits, split.map(s -> ", not '" + s + "'").orElse(""));
        }
        Path state = dir.resolve("state.json");
        JsonNode root = json(state);
        if (!root.path("_indices_files").isEmpty() || !root.path("_indices_data_files").isEmpty()) {
            throw BadInput.of(DataError.NOT_SUPPORTED, "%s: a data set with an indices mapping; call flatten_indices() before save_to_disk()", state);
        }
        List<Path> files = new ArrayList<>();
        for (JsonNode n : root.path("_data_files")) {
            Path f = dir.resolve(plain(n.path("filename"), state));
            if (!Files.isRegularFile(f)) {
                throw BadInput.of(DataError.UNREADABLE, "%s names %s, which is not there", state, f.getFileName());
            }
            files.add(f);
        }
        if (files.isEmpty()) {
            throw BadInput.of(DataError.EMPTY, "%s names no data files", state);
        }
        return files;
    }

    private static String plain(JsonNode n, Path where) {
        if (!n.isTextual() || n.textValue().isEmpty() || n.textValue().startsWith(".") || n.textValue().chars().anyMatch(c -> c == '/' || c == '\\' || c < ' ')) {
            throw BadInput.of(DataError.BAD_SHAPE, "%s: names must be plain names in the same folder, found %s", where, n.isTextual() ? n : n.getNodeType());
        }
        return n.textValue();
    }

    private static JsonNode json(Path file) {
        try {
            if (Files.size(file) > 100_000_000) {
                throw BadInput.of(DataError.BAD_JSON, "%s: too large to be what its name says", file);
            }
            JsonNode root = JSON.readTree(Files.readAllBytes(file));
            if (root == null || !root.isObject()) {
                throw BadInput.of(DataError.BAD_SHAPE, "%s: not a JSON object", file);
            }
            return root;
        } catch (JsonProcessingException e) {
            throw new BadInput(DataError.BAD_JSON, file + ": not JSON: " + e.getOriginalMessage(), e);
        } catch (IOException e) {
            throw DataFiles.unreadable(file, e);
        }
    }
}
