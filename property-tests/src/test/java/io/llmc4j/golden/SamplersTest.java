package io.llmc4j.golden;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.llmc4j.formats.data.EvaluationText;
import io.llmc4j.formats.data.NumpyPermutation;
import io.llmc4j.formats.data.Preprocessor;
import io.llmc4j.formats.data.PythonRandom;
import io.llmc4j.formats.data.TextRows;
import io.llmc4j.formats.data.Windows;
import io.llmc4j.formats.text.Tokenizer;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The windows that LLMC drew, from the same texts, the same tokenizer and the same seeds. */
class SamplersTest {

    private static Tokenizer tokenizer;

    private static Path resource(String name) throws URISyntaxException {
        return Path.of(SamplersTest.class.getResource(name).toURI());
    }

    @BeforeAll
    static void open() throws Exception {
        tokenizer = Tokenizer.of(Files.readAllBytes(resource("/tokenizers/golden.json")), new byte[0], "golden");
    }

    @AfterAll
    static void close() {
        tokenizer.close();
    }

    static List<JsonNode> cases() throws Exception {
        List<JsonNode> all = new ArrayList<>();
        new ObjectMapper().readTree(resource("/golden/calibration/expected.json").toFile()).forEach(all::add);
        return all;
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("cases")
    void drawsTheSameWindows(JsonNode c) throws Exception {
        Path data = resource("/golden/calibration/" + c.get("data").textValue() + (c.get("data").textValue().equals("calib_long") ? ".jsonl.zst" : ".json.zst"));
        TextRows rows = TextRows.read(data, TextRows.Choice.ANY);
        List<String> taken = rows.rows().subList(0, Math.min(rows.rows().size(), c.get("take").intValue()));
        Windows w = Preprocessor.named(c.get("preproc").textValue()).sample(taken, tokenizer, c.get("nSamples").intValue(), c.get("seqLen").intValue(),
                new PythonRandom(c.get("seed").longValue()), data.toString());
        assertEquals(c.get("rows").intValue(), w.rows().size());
        int[] first = new int[8];
        Arrays.setAll(first, i -> c.get("first").get(i).intValue());
        assertArrayEquals(first, Arrays.copyOf(w.rows().getFirst(), 8));
        assertEquals(c.get("sha256").textValue(), hash(w.rows()));
    }

    private static String hash(List<int[]> rows) throws Exception {
        MessageDigest d = MessageDigest.getInstance("SHA-256");
        for (int[] r : rows) {
            ByteBuffer b = ByteBuffer.allocate(4 * r.length).order(ByteOrder.LITTLE_ENDIAN);
            Arrays.stream(r).forEach(b::putInt);
            d.update(b.array());
        }
        return HexFormat.of().formatHex(d.digest());
    }

    /** Vectors of Python's and NumPy's generators. */
    @Test
    void pythonsGenerator() {
        PythonRandom r = new PythonRandom(42);
        assertArrayEquals(new int[] {670487, 116739, 26225, 777572, 288389}, java.util.stream.IntStream.range(0, 5).map(i -> r.between(0, 1_000_000)).toArray());
        PythonRandom zero = new PythonRandom(0);
        assertArrayEquals(new int[] {885440, 403958, 794772, 933488, 441001}, java.util.stream.IntStream.range(0, 5).map(i -> zero.between(0, 1_000_000)).toArray());
        // random.Random(2**33 + 5).getrandbits(32), three times; random.Random(3).shuffle(list(range(10)))
        PythonRandom wide = new PythonRandom((1L << 33) + 5);
        assertArrayEquals(new int[] {0xbddb7d9f, 0x4812e23e, 0xb8276f10}, new int[] {wide.nextBits(), wide.nextBits(), wide.nextBits()});
        List<Integer> list = new ArrayList<>(java.util.stream.IntStream.range(0, 10).boxed().toList());
        new PythonRandom(3).shuffle(list);
        assertEquals(List.of(1, 5, 6, 0, 9, 4, 7, 2, 8, 3), list);
    }

    @Test
    void numpysPermutation() {
        assertArrayEquals(new int[] {4, 2, 3, 1, 0}, NumpyPermutation.of(42, 5));
        assertArrayEquals(new int[] {59, 21, 56, 18, 33, 42, 50, 27, 92, 71}, Arrays.copyOf(NumpyPermutation.of(42, 100), 10));
        assertArrayEquals(new int[] {1535, 1183, 3378, 3825, 643, 90, 2835, 3865, 2220, 2177}, Arrays.copyOf(NumpyPermutation.of(42, 5000), 10));
        assertArrayEquals(new int[] {148233, 143250, 54461, 160944, 92300, 213774, 21150, 120635}, Arrays.copyOf(NumpyPermutation.of(42, 214670), 8));
        // numpy.random.default_rng(2**40 + 7).permutation(12)
        assertArrayEquals(new int[] {8, 2, 6, 1, 11, 9, 3, 7, 4, 5, 0, 10}, NumpyPermutation.of((1L << 40) + 7, 12));
        assertArrayEquals(new int[0], NumpyPermutation.of(42, 0));
    }

    /** 15 rows joined with two newlines: LLMC's evaluation windows, counted and compared by the tokenizers package. */
    @Test
    void evaluationWindows() throws Exception {
        List<String> rows = TextRows.read(resource("/golden/calibration/eval.json"), TextRows.Choice.ANY).rows();
        Windows w = EvaluationText.WIKITEXT2.windows(rows, tokenizer, 256, "eval.json");
        assertEquals(7786 / 256, w.rows().size());
        assertEquals("24029369ff7c736f48a909fe971aa2486d2f3215b154db258fac217e685140a0", hash(w.rows()));
        assertEquals("cf65556c75cf1e05349cc04e68142090fe880125976df54044f8c2e410eb6bc0", hash(List.of(EvaluationText.C4.tokens(rows, tokenizer, 16))));
        assertEquals("2da8373a654fea1407d78ee7198192cc6d6957c0d4b7ff74729af7c10e2567d7", hash(List.of(EvaluationText.PTB.tokens(rows, tokenizer, 16))));
        assertEquals("c11d4ee5f06bce0e1be826263b023ebd6f653729e59960f24a6df2a58a9ca056", hash(List.of(EvaluationText.CUSTOM_PPL.tokens(rows, tokenizer, 16))));
    }

    /** 64 windows of 256 tokens, of which the reference perplexity of the sample model was computed. */
    @Test
    void thePlainTextOfTheSampleModel() throws IOException {
        Path samples = Path.of(System.getProperty("llmc4j.root"), "cli/samples");
        try (Tokenizer t = Tokenizer.open(samples.resolve("tiny-llama-en"))) {
            TextRows text = TextRows.read(samples.resolve("evaluation.txt"), TextRows.Choice.ANY);
            assertEquals(64, EvaluationText.PLAIN.windows(text.rows(), t, 256, "evaluation.txt").rows().size());
            assertEquals(Files.readString(samples.resolve("evaluation.txt")), String.join("\n\n", text.rows()));
        }
    }
}
