package io.llmc4j.families;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.llmc4j.formats.export.gguf.GgufSink;
import io.llmc4j.formats.export.gguf.GgufTarget;
import io.llmc4j.formats.export.gguf.mix.FileType;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.golden.LlamaCpp;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every family that llama.cpp knows loads there and continues a prompt with the tokens of our own model. Skipped where none is installed. */
class LlamaCppFamiliesTest {

    private static final int COUNT = 12;

    @TempDir
    Path dir;

    static List<String> variants() {
        return GgufFamiliesTest.variants();
    }

    @ParameterizedTest
    @MethodSource("variants")
    void sameGreedyTokens(String variant) throws Exception {
        assumeTrue(LlamaCpp.nodeModules().isPresent(), LlamaCpp.HOW);
        // llama.cpp looks for words in a model's name.
        GgufTarget target = GgufTarget.of(dir, "tiny", FileType.F32, described(variant));
        try (HfModel m = FamilyModels.open(variant)) {
            GgufSink.write(m, target);
        }
        List<Integer> prompt = Arrays.stream(FamilyModels.ids(variant)[0]).limit(24).boxed().toList();
        JsonNode answer = LlamaCpp.ask(dir, target.file(), COUNT, prompt);
        LlamaCpp.sameTokens(target.file(), prompt, LlamaCpp.integers(answer.get("greedy")), COUNT);
    }

    /** A directory with what a vocabulary is made of: a token for each byte. */
    private Path described(String variant) throws IOException {
        Path d = Files.createDirectory(dir.resolve("model"));
        try (InputStream in = getClass().getResourceAsStream("/tokenizers/bytes.json")) {
            Files.write(d.resolve("tokenizer.json"), in.readAllBytes());
        }
        Files.writeString(d.resolve("config.json"), FamilyModels.config(variant).json().toString());
        return d;
    }
}
