package io.llmc4j.golden;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.llmc4j.formats.export.gguf.GgufSink;
import io.llmc4j.formats.export.gguf.GgufTarget;
import io.llmc4j.formats.export.gguf.mix.FileType;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.formats.text.Tokenizer;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What we write loads in a real llama.cpp and continues a prompt with the tokens of our own dequantized model. Skipped where none is
 * installed; {@link LlamaCpp} says how to.
 */
class LlamaCppModelTest {

    private static final int COUNT = 24;
    private static final String TEXT = "The state of the Union, 1234 fishes!  it's\n\n ok";

    @TempDir
    Path dir;

    @ParameterizedTest
    @EnumSource(value = FileType.class, names = {"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q5_1", "Q4_K_M", "IQ4_NL"})
    void sameGreedyTokens(FileType type) throws Exception {
        assumeTrue(LlamaCpp.nodeModules().isPresent(), LlamaCpp.HOW);
        Path model = GoldenModels.llama(dir);
        GgufTarget target = GgufTarget.of(dir, "llama", type, model);
        try (HfModel m = HfModel.open(model); Tokenizer t = Tokenizer.open(model)) {
            GgufSink.write(m, target);
            List<Integer> prompt = Arrays.stream(t.encode(TEXT, false)).boxed().toList();
            JsonNode answer = LlamaCpp.ask(dir, target.file(), COUNT, prompt, TEXT);
            assertEquals(prompt, LlamaCpp.integers(answer.get("tokens").get(0)));
            LlamaCpp.sameTokens(target.file(), prompt, LlamaCpp.integers(answer.get("greedy")), COUNT);
        }
    }

    /** Split files, and a vocabulary of another kind than the model's own. */
    @ParameterizedTest
    @ValueSource(strings = {"llama3-like", "llama2-like"})
    void tokenizesAlike(String tokenizer) throws Exception {
        assumeTrue(LlamaCpp.nodeModules().isPresent(), LlamaCpp.HOW);
        Path model = GoldenModels.llama(dir);
        byte[] json;
        try (InputStream in = getClass().getResourceAsStream("/tokenizers/" + tokenizer + ".json")) {
            json = in.readAllBytes();
        }
        Files.write(model.resolve("tokenizer.json"), json);
        JsonNode expected = expected(tokenizer);
        Files.writeString(model.resolve("tokenizer_config.json"), expected.path("config").toString());
        GgufTarget target = GgufTarget.of(dir, "llama", FileType.F16, model).withSplit(300_000);
        try (HfModel m = HfModel.open(model); Tokenizer t = Tokenizer.of(json, new byte[0], tokenizer)) {
            Path first = dir.resolve(GgufSink.write(m, target).files().getFirst().name());
            assertTrue(first.getFileName().toString().contains("-00001-of-"));
            String[] texts = {TEXT, "A simple sentence about whales, ships and 12345678 databases.", "  leading spaces and\ttabs\n\n\n",
                "Ünïcode, 世界 and emoji 🦙!", "don't won't I'LL"};
            JsonNode answer = LlamaCpp.ask(dir, first, 0, List.of(), texts);
            for (int i = 0; i < texts.length; i++) {
                assertEquals(Arrays.stream(t.encode(texts[i], false)).boxed().toList(), LlamaCpp.integers(answer.get("tokens").get(i)), texts[i]);
            }
        }
    }

    private static JsonNode expected(String tokenizer) throws IOException {
        try (InputStream in = LlamaCppModelTest.class.getResourceAsStream("/tokenizers/expected.json")) {
            return new ObjectMapper().readTree(new String(in.readAllBytes(), StandardCharsets.UTF_8)).path(tokenizer);
        }
    }

    /** The reason why the others were skipped is in the report of every run. */
    @Test
    void saysWhetherItRan() {
        System.out.println(LlamaCpp.nodeModules().map(p -> "llama.cpp: tests run against " + p).orElse("llama.cpp: tests skipped, " + LlamaCpp.HOW));
    }
}
