package io.llmc4j.formats.data;

import io.llmc4j.engine.BadInput;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Rows of text, whatever they are stored in:
 *
 * <ul>
 * <li>{@code .txt}: its paragraphs, split at two newlines, so that joining rows with two newlines gives the file again;
 * <li>{@code .json}, {@code .jsonl}: strings, or objects with a text field;
 * <li>{@code .arrow}: a string column of an Arrow stream; {@code .parquet}: a string column;
 * <li>a folder: what the datasets library's {@code save_to_disk} wrote, Parquet files, or LLMC's {@code samples.json} (each row is {@code question}
 *     followed by {@code answer});
 * <li>text, JSON and Arrow also packed as {@code .gz} or {@code .zst}.
 * </ul>
 *
 * @param rows the rows; may be read from disk when asked for
 * @param source where they came from
 */
public record TextRows(List<String> rows, Path source) {

    /**
     * Which rows.
     *
     * @param field the name of the text column or field; without one the usual names are tried
     * @param split the split of a folder that has several
     */
    public record Choice(Optional<String> field, Optional<String> split) {
        public static final Choice ANY = new Choice(Optional.empty(), Optional.empty());

        public static Choice field(String name) {
            return new Choice(Optional.of(name), Optional.empty());
        }
    }

    /** Throws {@link BadInput} of a {@link DataError}. */
    public static TextRows read(Path path, Choice choice) {
        if (!Files.exists(path)) {
            throw BadInput.of(DataError.UNREADABLE, "%s: no such file or folder", path);
        }
        return new TextRows(Files.isDirectory(path) ? folder(path, choice) : file(path, choice), path);
    }

    private static List<String> file(Path path, Choice choice) {
        String name = DataFiles.plainName(path);
        if (name.endsWith(".txt") || name.endsWith(".md") || name.endsWith(".raw")) {
            return List.of(text(path).split("\n\n", -1));
        }
        if (name.endsWith(".json") || name.endsWith(".jsonl") || name.endsWith(".ndjson")) {
            return JsonRows.read(DataFiles.open(path), path.toString(), choice.field());
        }
        if (name.endsWith(".arrow")) {
            return ArrowRows.read(List.of(path), choice.field());
        }
        if (name.endsWith(".parquet")) {
            return ParquetRows.read(List.of(path), choice.field());
        }
        throw BadInput.of(DataError.UNKNOWN_FORMAT, "%s: text is read from .txt, .json, .jsonl (also .gz and .zst), .arrow and .parquet files and from data set folders", path);
    }

    /** A whole text file; throws NOT_UTF8. */
    private static String text(Path path) {
        try (InputStream in = DataFiles.open(path)) {
            byte[] bytes = in.readAllBytes();
            return StandardCharsets.UTF_8.newDecoder().onMalformedInput(CodingErrorAction.REPORT).onUnmappableCharacter(CodingErrorAction.REPORT)
                    .decode(ByteBuffer.wrap(bytes)).toString();
        } catch (CharacterCodingException e) {
            throw new BadInput(DataError.NOT_UTF8, path + ": not UTF-8 text", e);
        } catch (IOException e) {
            throw DataFiles.unreadable(path, e);
        }
    }

    private static List<String> folder(Path dir, Choice choice) {
        if (Files.exists(dir.resolve("samples.json"))) {
            return CustomSamples.read(dir).stream().map(s -> s.question() + s.answer()).toList();
        }
        if (Files.exists(dir.resolve("state.json")) || Files.exists(dir.resolve("dataset_dict.json"))) {
            return ArrowRows.read(SavedDataset.files(dir, choice.split()), choice.field());
        }
        try (Stream<Path> all = Files.list(dir)) {
            List<Path> parquet = all.filter(p -> p.getFileName().toString().endsWith(".parquet")).sorted().toList();
            if (!parquet.isEmpty()) {
                return ParquetRows.read(parquet, choice.field());
            }
        } catch (IOException e) {
            throw DataFiles.unreadable(dir, e);
        }
        throw BadInput.of(DataError.UNKNOWN_FORMAT, "%s is no data set folder: it holds no state.json or dataset_dict.json (save_to_disk), no samples.json and no .parquet files", dir);
    }
}
