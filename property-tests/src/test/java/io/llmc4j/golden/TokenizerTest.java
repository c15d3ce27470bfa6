package io.llmc4j.golden;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.llmc4j.engine.BadInput;
import io.llmc4j.formats.text.Tokenizer;
import io.llmc4j.formats.text.TokenizerError;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Ids and texts against the Python package tokenizers. */
class TokenizerTest {

    private static byte[] resource(String name) throws IOException {
        try (InputStream in = TokenizerTest.class.getResourceAsStream("/tokenizers/" + name)) {
            return in.readAllBytes();
        }
    }

    private static Tokenizer open(String name, JsonNode config) throws IOException {
        return Tokenizer.of(resource(name + ".json"), config.toString().getBytes(StandardCharsets.UTF_8), name);
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama3-like", "llama2-like", "unigram", "wordpiece", "truncating", "golden"})
    void idsAndTextsAreThePythonPackages(String name) throws IOException {
        JsonNode expected = new ObjectMapper().readTree(resource("expected.json")).get(name);
        try (Tokenizer t = open(name, expected.get("config"))) {
            for (JsonNode c : expected.get("cases")) {
                String text = c.get("text").textValue();
                assertArrayEquals(ints(c.get("ids")), t.encode(text), () -> "ids of \"" + text + "\"");
                assertArrayEquals(ints(c.get("plain")), t.encode(text, false), () -> "plain ids of \"" + text + "\"");
                assertEquals(c.get("decoded").textValue(), t.decode(t.encode(text), true));
            }
        }
    }

    private static int[] ints(JsonNode list) {
        int[] out = new int[list.size()];
        for (int i = 0; i < out.length; i++) {
            out[i] = list.get(i).intValue();
        }
        return out;
    }

    /** The whole held-out text in one call: 16,384 ids whose hash is that of the Python package's. */
    @Test
    void aWholeTextInOneCall() throws Exception {
        Path samples = Path.of(System.getProperty("llmc4j.root"), "cli/samples");
        String text = Files.readString(samples.resolve("evaluation.txt"));
        try (Tokenizer t = Tokenizer.open(samples.resolve("tiny-llama-en"))) {
            int[] ids = t.encode(text, false);
            assertEquals(16384, ids.length);
            ByteBuffer b = ByteBuffer.allocate(4 * ids.length).order(ByteOrder.LITTLE_ENDIAN);
            Arrays.stream(ids).forEach(b::putInt);
            assertEquals("1c50d0f582309c75eca8ac25e895548144c34eda49c028c0aeacacd26f9a5830",
                    HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(b.array())));
            assertEquals(text, t.decode(ids, false));
        }
    }

    /** As {@code truncation=True, max_length=n} of transformers: the special tokens stay, the text is cut. */
    @Test
    void truncationKeepsTheSpecialTokens() throws IOException {
        JsonNode none = new ObjectMapper().createObjectNode();
        try (Tokenizer t = open("wordpiece", none)) {
            int[] all = t.encode("the president of the united states");
            int[] cut = t.encodeTruncated("the president of the united states", 5, true);
            assertEquals(5, cut.length);
            assertEquals(1, cut[0]);
            assertEquals(2, cut[4]);
            assertArrayEquals(Arrays.copyOfRange(all, 1, 4), Arrays.copyOfRange(cut, 1, 4));
            assertArrayEquals(all, t.encodeTruncated("the president of the united states", all.length, true));
            assertArrayEquals(Arrays.copyOfRange(all, 1, 5), t.encodeTruncated("the president of the united states", 4, false));
        }
        JsonNode left = new ObjectMapper().createObjectNode().put("truncation_side", "left");
        try (Tokenizer t = open("llama3-like", left)) {
            int[] all = t.encode("the president of the united states");
            int[] cut = t.encodeTruncated("the president of the united states", 5, true);
            assertEquals(0, cut[0]);
            assertArrayEquals(Arrays.copyOfRange(all, all.length - 4, all.length), Arrays.copyOfRange(cut, 1, 5));
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = ';', value = {"BAD_TOKENIZER; ", "BAD_TOKENIZER; {", "BAD_TOKENIZER; []", "BAD_TOKENIZER; {}", "BAD_TOKENIZER; {\"model\":{\"type\":\"Magic\"}}",
        "BAD_TOKENIZER; {\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1},\"merges\":[]}}", "BAD_TOKENIZER; {\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a b\"]}}"})
    void brokenTokenizers(TokenizerError kind, String json) {
        byte[] bytes = (json == null ? "" : json).getBytes(StandardCharsets.UTF_8);
        assertEquals(kind, assertThrows(BadInput.class, () -> Tokenizer.of(bytes, new byte[0], "hostile").close()).kind());
    }

    /** The native library would end the process when it encodes. */
    @Test
    void templatesOfTokensThatAreNotDefined() throws Exception {
        String good = new String(TokenizerTest.class.getResourceAsStream("/tokenizers/wordpiece.json").readAllBytes(), StandardCharsets.UTF_8);
        String bad = good.replaceFirst("(\"SpecialToken\"\\s*:\\s*\\{\\s*\"id\"\\s*:\\s*\")\\[CLS\\]", "$1[CLASS]");
        assertTrue(!bad.equals(good));
        BadInput e = assertThrows(BadInput.class, () -> Tokenizer.of(bad.getBytes(StandardCharsets.UTF_8), new byte[0], "hostile").close());
        assertTrue(e.getMessage().contains("names the special token '[CLASS]'"), e.getMessage());
    }

    /** JSON for everybody but the native library's reader, which would end the process. */
    @ParameterizedTest
    @CsvSource(delimiter = ';', value = {"\"type\":\"\\ud800\"; surrogate", "\"\\udc00\":1; surrogate", "\"n\":1e999; too large", "\"n\":-1E+4000; too large"})
    void whatOnlyTheNativeReaderRefuses(String member, String why) throws Exception {
        String good = new String(resource("wordpiece.json"), StandardCharsets.UTF_8);
        for (String part : new String[] {"decoder", "post_processor"}) {
            String bad = good.replaceFirst("\"" + part + "\"\\s*:\\s*\\{", java.util.regex.Matcher.quoteReplacement("\"" + part + "\":{" + member + ","));
            assertTrue(!bad.equals(good));
            BadInput e = assertThrows(BadInput.class, () -> Tokenizer.of(bad.getBytes(StandardCharsets.UTF_8), new byte[0], "hostile").close());
            assertTrue(e.kind() == TokenizerError.BAD_TOKENIZER && e.getMessage().contains(why), e.getMessage());
        }
    }

    /** Llama 2 takes a space from the front, which is safe; from the end, the library takes what is not there. */
    @Test
    void aDecoderThatTakesFromTheEnd() throws Exception {
        String good = new String(resource("llama2-like.json"), StandardCharsets.UTF_8);
        String bad = good.replaceFirst("\"start\"\\s*:\\s*1\\s*,\\s*\"stop\"\\s*:\\s*0", "\"start\":1,\"stop\":1");
        assertTrue(!bad.equals(good));
        try (Tokenizer sound = Tokenizer.of(good.getBytes(StandardCharsets.UTF_8), new byte[0], "sound"); Tokenizer t = Tokenizer.of(bad.getBytes(StandardCharsets.UTF_8), new byte[0], "hostile")) {
            assertEquals("a b", sound.decode(sound.encode("a b"), true));
            assertArrayEquals(sound.encode("a b"), t.encode("a b"));
            BadInput e = assertThrows(BadInput.class, () -> t.decode(new int[] {5}, true));
            assertTrue(e.getMessage().contains("decoder Strip takes characters from the end (stop 1)"), e.getMessage());
        }
    }

    /** The library cuts the second half of a merge behind its prefix, and would end the process where there is none. */
    @Test
    void mergesWithoutTheirPrefix() throws Exception {
        String model = "{\"model\":{\"type\":\"BPE\",\"continuing_subword_prefix\":\"%s\",\"vocab\":{\"a\":0,\"##b\":1,\"ab\":2,\"b\":3},\"merges\":[%s]}}";
        try (Tokenizer t = Tokenizer.of(model.formatted("##", "\"a ##b\"").getBytes(StandardCharsets.UTF_8), new byte[0], "sound")) {
            assertArrayEquals(new int[] {2}, t.encode("ab"));
        }
        // "\u0120" is two bytes
        BadInput bytes = assertThrows(BadInput.class, () -> Tokenizer.of(model.formatted("\u0120", "\"a b\"").getBytes(StandardCharsets.UTF_8), new byte[0], "hostile").close());
        assertTrue(bytes.getMessage().contains("does not begin with"), bytes.getMessage());
        for (String merge : new String[] {"\"a b\"", "[\"a\",\"b\"]"}) {
            BadInput e = assertThrows(BadInput.class, () -> Tokenizer.of(model.formatted("##", merge).getBytes(StandardCharsets.UTF_8), new byte[0], "hostile").close());
            assertTrue(e.getMessage().contains("model.merges has 'b', which does not begin with model.continuing_subword_prefix '##'"), e.getMessage());
        }
    }

    /** Tables of replacements that the library would follow out of bounds. */
    @Test
    void tablesOfReplacements() throws Exception {
        String good = new String(resource("wordpiece.json"), StandardCharsets.UTF_8);
        ByteBuffer table = ByteBuffer.allocate(4 + 1024 + 3).order(ByteOrder.LITTLE_ENDIAN).putInt(0, 1024).put(1028, "\u00e9\0".getBytes(StandardCharsets.UTF_8));
        withTable(good, table.array()).close();
        for (int[] unit : new int[][] {{0, 300 << 10}, {0, 1 << 31 | 300 << 10}, {0, 1 << 10 | 1 << 8, 1, 1 << 31 | 1}, {0, 1 << 10 | 1 << 8, 1, 1 << 31 | 4}, {-1, 1020}, {-1, 2048}, {-1, 0}}) {
            byte[] bad = table.array().clone();
            for (int i = 0; i < unit.length; i += 2) {
                ByteBuffer.wrap(bad).order(ByteOrder.LITTLE_ENDIAN).putInt(4 + 4 * unit[i], unit[i + 1]);
            }
            BadInput e = assertThrows(BadInput.class, () -> withTable(good, bad).close());
            assertTrue(e.getMessage().contains("precompiled_charsmap of a normalizer"), e.getMessage());
        }
        byte[] noText = table.array().clone();
        noText[1028] = (byte) 0xff;
        assertTrue(assertThrows(BadInput.class, () -> withTable(good, noText).close()).getMessage().contains("no UTF-8"));
        for (String member : new String[] {"\"a\":0", "\"precompiled_charsmap\":\"!\"", "\"precompiled_charsmap\":\"\"", "\"precompiled_charsmap\":null"}) {
            assertThrows(BadInput.class, () -> withNormalizer(good, member).close());
        }
    }

    private static Tokenizer withTable(String good, byte[] table) {
        return withNormalizer(good, "\"precompiled_charsmap\":\"" + Base64.getEncoder().encodeToString(table) + "\"");
    }

    private static Tokenizer withNormalizer(String good, String member) {
        String json = good.replaceFirst("\"normalizer\"\\s*:\\s*\\{[^}]*\\}", java.util.regex.Matcher.quoteReplacement(
                "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Precompiled\"," + member + "}]}"));
        assertTrue(!json.equals(good));
        Tokenizer t = Tokenizer.of(json.getBytes(StandardCharsets.UTF_8), new byte[0], "hostile");
        t.encode("caf\u00e9 \ufb01");
        return t;
    }

    @ParameterizedTest
    @ValueSource(strings = {"{", "[]", "{\"add_bos_token\":\"yes\"}", "{\"bos_token\":3}", "{} {}"})
    void brokenConfigurations(String json) throws IOException {
        byte[] good = resource("golden.json");
        assertEquals(TokenizerError.BAD_CONFIG, assertThrows(BadInput.class, () -> Tokenizer.of(good, json.getBytes(StandardCharsets.UTF_8), "hostile").close()).kind());
    }

    @Test
    void aBeginTokenThatIsNone() throws IOException {
        try (Tokenizer t = Tokenizer.of(resource("golden.json"), "{\"add_bos_token\":true,\"bos_token\":\"no such token\"}".getBytes(StandardCharsets.UTF_8), "x")) {
            assertEquals(TokenizerError.NO_SPECIAL_TOKEN, assertThrows(BadInput.class, () -> t.encode("a")).kind());
        }
    }

    @Test
    void aDirectoryWithoutTokenizer(@TempDir Path dir) throws IOException {
        Files.writeString(dir.resolve("tokenizer.model"), "x");
        BadInput e = assertThrows(BadInput.class, () -> Tokenizer.open(dir));
        assertEquals(TokenizerError.MISSING, e.kind());
        assertTrue(e.getMessage().contains("tokenizer.model"));
    }

    /** Half a surrogate pair is no text; it must not end the process. */
    @Test
    void halfASurrogatePair() throws IOException {
        try (Tokenizer t = Tokenizer.of(resource("golden.json"), new byte[0], "x")) {
            try {
                t.encode("a\ud800b");
            } catch (BadInput e) {
                assertEquals(TokenizerError.BAD_TOKENIZER, e.kind());
            }
        }
    }
}
