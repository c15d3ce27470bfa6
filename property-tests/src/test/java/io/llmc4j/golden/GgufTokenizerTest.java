package io.llmc4j.golden;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.llmc4j.engine.BadInput;
import io.llmc4j.formats.export.gguf.GgufMetadata;
import io.llmc4j.formats.export.gguf.vocab.GgufVocabulary;
import io.llmc4j.formats.export.gguf.vocab.TokenizerJson;
import io.llmc4j.formats.text.Tokenizer;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Tokenizers as GGUF metadata and back give the ids that the Python package tokenizers gives. */
class GgufTokenizerTest {

    @TempDir
    Path dir;

    private byte[] resource(String name) throws IOException {
        try (InputStream in = getClass().getResourceAsStream("/tokenizers/" + name)) {
            return in.readAllBytes();
        }
    }

    private GgufMetadata metadata(String name, String arch) throws IOException {
        Files.write(dir.resolve("tokenizer.json"), resource(name + ".json"));
        GgufMetadata m = new GgufMetadata();
        GgufVocabulary.write(dir, arch, 600, m);
        return m;
    }

    @ParameterizedTest
    @CsvSource({"llama3-like, gpt2, llama-bpe", "llama2-like, llama, default", "golden, gpt2, gpt-2"})
    void sameIdsThroughMetadata(String name, String model, String pre) throws IOException {
        GgufMetadata m = metadata(name, "llama");
        assertEquals(model, m.needText("tokenizer.ggml.model"));
        assertEquals(pre, m.needText("tokenizer.ggml.pre"));
        assertEquals(600, m.texts("tokenizer.ggml.tokens").orElseThrow().size());
        assertEquals("[PAD599]", m.texts("tokenizer.ggml.tokens").orElseThrow().get(599));
        JsonNode cases = new ObjectMapper().readTree(resource("expected.json")).get(name).get("cases");
        try (Tokenizer t = Tokenizer.of(TokenizerJson.of(m), new byte[0], name)) {
            for (JsonNode c : cases) {
                int[] want = new int[c.get("plain").size()];
                for (int i = 0; i < want.length; i++) {
                    want[i] = c.get("plain").get(i).asInt();
                }
                assertArrayEquals(want, t.encode(c.get("text").asText(), false), c.get("text").asText());
            }
        }
    }

    @Test
    void theBeginTokenOfATemplateIsAdded() throws IOException {
        Files.writeString(dir.resolve("config.json"), "{\"bos_token_id\": 0}");
        assertEquals(true, metadata("llama3-like", "llama").bool("tokenizer.ggml.add_bos_token").orElseThrow());
        assertEquals(false, metadata("golden", "llama").bool("tokenizer.ggml.add_bos_token").orElseThrow());
    }

    @Test
    void othersAreRefused() {
        for (String name : List.of("unigram", "wordpiece")) {
            assertEquals(BadInput.Common.NOT_SUPPORTED, assertThrows(BadInput.class, () -> metadata(name, "llama")).kind());
        }
        GgufMetadata none = new GgufMetadata().text("tokenizer.ggml.model", "none");
        assertThrows(BadInput.class, () -> TokenizerJson.of(none));
    }
}
