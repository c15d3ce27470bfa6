package io.llmc4j.hostile;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.safetensors.SafetensorsWriter;
import io.llmc4j.engine.safetensors.TensorDeclaration;
import io.llmc4j.engine.safetensors.WriterOptions;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import io.llmc4j.formats.data.CustomSamples;
import io.llmc4j.formats.data.DataError;
import io.llmc4j.formats.data.Preprocessor;
import io.llmc4j.formats.data.PythonRandom;
import io.llmc4j.formats.data.TextRows;
import io.llmc4j.formats.data.TokenIds;
import io.llmc4j.formats.data.Windows;
import io.llmc4j.formats.text.Tokenizer;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Data sets of every kind that is read, and broken ones of every kind. */
class DataTest {

    @TempDir
    private Path dir;

    private static final List<String> EXPECTED = expected();

    private static List<String> expected() {
        List<String> rows = new ArrayList<>(List.of("first row", "", "caf\u00e9 \u4e2d\u6587 \uD83D\uDE00", "a\n\nb"));
        for (int i = 0; i < 20; i++) {
            rows.add("row " + i);
        }
        return rows;
    }

    private static Path dataset(String name) throws Exception {
        return Path.of(DataTest.class.getResource("/datasets/" + name).toURI());
    }

    private Path file(String name, String text) throws IOException {
        return Files.writeString(dir.resolve(name), text);
    }

    private static List<String> read(Path p) {
        return TextRows.read(p, TextRows.Choice.ANY).rows();
    }

    private static void refused(DataError kind, Path p, TextRows.Choice choice) {
        BadInput e = assertThrows(BadInput.class, () -> TextRows.read(p, choice).rows().forEach(String::length));
        assertEquals(kind, e.kind(), e.getMessage());
    }

    @Test
    void savedDatasets() throws Exception {
        assertEquals(EXPECTED, read(dataset("saved/train")));
        assertEquals(EXPECTED, TextRows.read(dataset("saved"), new TextRows.Choice(Optional.of("text"), Optional.of("train"))).rows());
        assertEquals(List.of("only"), TextRows.read(dataset("saved"), new TextRows.Choice(Optional.empty(), Optional.of("test"))).rows());
        refused(DataError.AMBIGUOUS_SPLIT, dataset("saved"), TextRows.Choice.ANY);
        refused(DataError.AMBIGUOUS_SPLIT, dataset("saved"), new TextRows.Choice(Optional.empty(), Optional.of("validation")));
        refused(DataError.NO_TEXT_FIELD, dataset("saved/train"), TextRows.Choice.field("sentence"));
        refused(DataError.NOT_SUPPORTED, dataset("saved/train"), TextRows.Choice.field("id"));
    }

    @Test
    void arrowFiles() throws Exception {
        assertEquals(EXPECTED, read(dataset("file.arrow")));
        refused(DataError.BAD_ARROW, dataset("null.arrow"), TextRows.Choice.ANY);
        refused(DataError.NOT_SUPPORTED, dataset("dictionary.arrow"), TextRows.Choice.ANY);
        refused(DataError.NOT_SUPPORTED, dataset("compressed.arrow"), TextRows.Choice.ANY);
        byte[] good = Files.readAllBytes(dataset("saved/train/data-00000-of-00002.arrow"));
        Path cut = Files.write(dir.resolve("cut.arrow"), java.util.Arrays.copyOf(good, good.length / 2));
        refused(DataError.BAD_ARROW, cut, TextRows.Choice.ANY);
        refused(DataError.BAD_ARROW, Files.write(dir.resolve("empty.arrow"), new byte[0]), TextRows.Choice.ANY);
    }

    @ParameterizedTest
    @ValueSource(strings = {"snappy", "zstd", "none", "gzip"})
    void parquetFiles(String compression) throws Exception {
        assertEquals(EXPECTED, read(dataset("parquet/part-" + compression + ".parquet")));
    }

    /** The native decompressor trusts the length inside of a page: one that its header contradicts must not reach it. */
    @Test
    void damagedSnappyPagesAreRefused() throws Exception {
        byte[] sound = Files.readAllBytes(dataset("parquet/part-snappy.parquet"));
        int refused = 0;
        for (int at = 392; at < 540; at++) {    // the pages of a column of strings
            byte[] damaged = sound.clone();
            damaged[at] ^= 0x40;
            Path f = Files.write(dir.resolve("damaged.parquet"), damaged);
            try {
                read(f);
            } catch (BadInput e) {
                refused += e.getMessage().contains("a Snappy page of") ? 1 : 0;
            }
        }
        assertTrue(refused > 0, "no page's length was damaged");
    }

    @Test
    void parquetFoldersAndBrokenOnes() throws Exception {
        assertEquals(4 * EXPECTED.size(), read(dataset("parquet")).size());
        refused(DataError.BAD_PARQUET, dataset("null.parquet"), TextRows.Choice.ANY);
        refused(DataError.NO_TEXT_FIELD, dataset("parquet"), TextRows.Choice.field("sentence"));
        refused(DataError.NOT_SUPPORTED, dataset("parquet"), TextRows.Choice.field("id"));
        refused(DataError.BAD_PARQUET, file("x.parquet", "PAR1 nothing PAR1"), TextRows.Choice.ANY);
        refused(DataError.BAD_PARQUET, file("y.parquet", ""), TextRows.Choice.ANY);
        // on this one, found by fuzzing, the Parquet library reads the same place for ever
        assertTimeoutPreemptively(java.time.Duration.ofSeconds(60), () -> refused(DataError.BAD_PARQUET, dataset("endless.parquet"), TextRows.Choice.ANY));
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource(delimiter = '|', quoteCharacter = '~', value = {
        "a.json | [\"x\",\"y\"]",
        "b.json | [{\"text\":\"x\"},{\"n\":{\"text\":1},\"text\":\"y\"}]",
        "c.jsonl | {\"text\":\"x\"} {\"text\":\"y\"}",
        "d.json | {\"content\":\"x\",\"prompt\":\"no\"} {\"content\":\"y\"}",
        "e.jsonl | \"x\" \"y\"",
        "f.json | [{\"sentence\":\"x\"},{\"sentence\":\"y\"}]"})
    void json(String name, String text) throws IOException {
        assertEquals(List.of("x", "y"), read(file(name, text)));
        try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(dir.resolve(name + ".gz")))) {
            out.write(text.getBytes(StandardCharsets.UTF_8));
        }
        assertEquals(List.of("x", "y"), read(dir.resolve(name + ".gz")));
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource(delimiter = '|', quoteCharacter = '~', value = {
        "BAD_JSON | a.json | [\"x\"",
        "BAD_JSON | b.json | [\"x\"] 1",
        "BAD_JSON | c.jsonl | {\"text\":\"x\"} }",
        "BAD_JSON | d.jsonl | {\"text\":\"x",
        "BAD_SHAPE | e.json | [1]",
        "BAD_SHAPE | f.json | 3",
        "BAD_SHAPE | g.json | [\"x\",null]",
        "BAD_SHAPE | h.json | [[1,2]]",
        "NO_TEXT_FIELD | i.json | [{\"body\":\"x\"}]",
        "NO_TEXT_FIELD | j.json | [{\"text\":\"x\"},{\"sentence\":\"y\"}]",
        "NO_TEXT_FIELD | k.json | [{\"text\":3}]",
        "UNKNOWN_FORMAT | l.csv | a,b",
        "UNREADABLE | m.json.gz | no gzip",
        "UNREADABLE | n.jsonl.zst | no zstd"})
    void brokenText(DataError kind, String name, String text) throws IOException {
        refused(kind, file(name, text), TextRows.Choice.ANY);
    }

    @Test
    void textThatIsNoText() throws IOException {
        refused(DataError.NOT_UTF8, Files.write(dir.resolve("a.txt"), new byte[] {'a', (byte) 0xff}), TextRows.Choice.ANY);
        refused(DataError.NOT_UTF8, Files.write(dir.resolve("a.json"), new byte[] {'[', '"', (byte) 0xff, '"', ']'}), TextRows.Choice.ANY);
        refused(DataError.UNREADABLE, dir.resolve("nothing.txt"), TextRows.Choice.ANY);
        refused(DataError.UNKNOWN_FORMAT, Files.createDirectory(dir.resolve("empty")), TextRows.Choice.ANY);
    }

    @Test
    void savedDatasetsThatReachOutside() throws IOException {
        Path d = Files.createDirectory(dir.resolve("saved"));
        for (String name : new String[] {"../x.arrow", "/etc/passwd", "a/b.arrow", ""}) {
            Files.writeString(d.resolve("state.json"), "{\"_data_files\":[{\"filename\":\"" + name + "\"}]}");
            refused(DataError.BAD_SHAPE, d, TextRows.Choice.ANY);
        }
        Files.writeString(d.resolve("state.json"), "{\"_data_files\":[{\"filename\":\"gone.arrow\"}]}");
        refused(DataError.UNREADABLE, d, TextRows.Choice.ANY);
        Files.writeString(d.resolve("state.json"), "{\"_data_files\":[]}");
        refused(DataError.EMPTY, d, TextRows.Choice.ANY);
        Files.writeString(d.resolve("state.json"), "{\"_data_files\":[],\"_indices_data_files\":[{\"filename\":\"i.arrow\"}]}");
        refused(DataError.NOT_SUPPORTED, d, TextRows.Choice.ANY);
    }

    @Test
    void customSamples() throws IOException {
        file("samples.json", "[{\"question\":\"q1\",\"answer\":\"a1\"},{\"question\":\"q2\",\"image\":null,\"x\":[1]}]");
        assertEquals(List.of("q1a1", "q2"), read(dir));
        assertEquals("", CustomSamples.read(dir).get(1).answer());
        file("samples.json", "[{\"question\":\"q1\",\"image\":\"a.png\"}]");
        refused(DataError.NOT_SUPPORTED, dir, TextRows.Choice.ANY);
        file("samples.json", "{}");
        refused(DataError.BAD_SHAPE, dir, TextRows.Choice.ANY);
    }

    @Test
    void tokenIds() throws IOException {
        Path json = file("ids.json", "[[1,2,3],[4,5,6]]");
        assertTrue(TokenIds.isTokenIds(json));
        assertFalse(TokenIds.isTokenIds(file("text.json", "[\"a\"]")));
        assertArrayEquals(new int[] {4, 5, 6}, TokenIds.read(json, 7).rows().get(1));
        Path st = dir.resolve("ids.safetensors");
        try (Arena arena = Arena.ofConfined()) {
            Tensor t = Tensors.fromInts(new Shape(2, 2), new int[] {1, 2, 3, 4}, arena);
            try (SafetensorsWriter w = SafetensorsWriter.create(st, List.of(TensorDeclaration.of("input_ids", t)), Map.of(), WriterOptions.STRICT)) {
                w.write("input_ids", t);
                w.finish();
            }
        }
        assertArrayEquals(new int[] {3, 4}, TokenIds.read(st, 5).rows().get(1));
        for (Map.Entry<String, DataError> bad : Map.of("[[1,7]]", DataError.BAD_TOKENS, "[[-1]]", DataError.BAD_TOKENS, "[[1.5]]", DataError.BAD_TOKENS,
                "[[99999999999]]", DataError.BAD_TOKENS, "[1]", DataError.BAD_SHAPE, "{}", DataError.BAD_SHAPE, "[]", DataError.EMPTY, "[[1", DataError.BAD_JSON).entrySet()) {
            Path p = file("bad.json", bad.getKey());
            assertEquals(bad.getValue(), assertThrows(BadInput.class, () -> TokenIds.read(p, 7)).kind(), bad.getKey());
        }
        assertEquals(DataError.BAD_TOKENS, assertThrows(BadInput.class, () -> TokenIds.read(st, 4)).kind());
    }

    /** {@code bs}: -1 one batch, 1 a sample each, k chunks with a short last one. */
    @Test
    void batches() {
        Windows w = Windows.of(List.of(new int[3], new int[3], new int[3]));
        assertEquals(List.of(3), w.batches(-1).stream().map(List::size).toList());
        assertEquals(List.of(1, 1, 1), w.batches(1).stream().map(List::size).toList());
        assertEquals(List.of(2, 1), w.batches(2).stream().map(List::size).toList());
        assertEquals(BadInput.Common.CONFIG, assertThrows(BadInput.class, () -> w.batches(0)).kind());
        Windows ragged = Windows.of(List.of(new int[3], new int[2]));
        assertEquals(DataError.UNEQUAL_LENGTHS, assertThrows(BadInput.class, () -> ragged.batches(-1)).kind());
        assertEquals(2, ragged.batches(1).size());
    }

    /** Too little text is an error that says so, for every preprocessor, and never a loop without end. */
    @ParameterizedTest
    @ValueSource(strings = {"wikitext2_gptq", "ptb_gptq", "c4_gptq", "pileval_awq", "pileval_omni", "txt_general_preproc", "random_truncate_txt"})
    void tooLittleText(String name) throws Exception {
        byte[] json = Files.readAllBytes(Path.of(DataTest.class.getResource("/tokenizers/golden.json").toURI()));
        try (Tokenizer t = Tokenizer.of(json, new byte[0], "golden")) {
            BadInput e = assertThrows(BadInput.class, () -> Preprocessor.named(name).sample(List.of("a few words", "and more"), t, 4, 500, new PythonRandom(0), "data"));
            assertEquals(DataError.TOO_SHORT, e.kind());
            assertEquals(DataError.EMPTY, assertThrows(BadInput.class, () -> Preprocessor.named(name).sample(List.of(), t, 4, 8, new PythonRandom(0), "data")).kind());
            assertEquals(DataError.NOT_SUPPORTED, assertThrows(BadInput.class, () -> Preprocessor.named("ultrachat_general")
                    .sample(List.of("a"), t, 4, 8, new PythonRandom(0), "data")).kind());
        }
        assertEquals(DataError.NOT_SUPPORTED, assertThrows(BadInput.class, () -> Preprocessor.named("original_txt")).kind());
    }
}
