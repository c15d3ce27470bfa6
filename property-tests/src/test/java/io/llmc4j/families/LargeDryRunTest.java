package io.llmc4j.families;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.llmc4j.cli.Main;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Plans of the largest models, from directories that hold a config.json and nothing else. */
class LargeDryRunTest {

    @TempDir
    private Path dir;

    private Path model(String config) throws IOException {
        Path model = Files.createDirectories(dir.resolve(config));
        try (InputStream in = LargeDryRunTest.class.getClassLoader().getResourceAsStream("configs/" + config + ".json")) {
            Files.copy(in, model.resolve("config.json"));
        }
        return model;
    }

    private String run(Object... args) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        List<String> texts = new ArrayList<>(List.of("quantize"));
        for (Object a : args) {
            texts.add(a.toString());
        }
        texts.addAll(List.of("--dry-run", "--no-eval", "--out", dir.resolve("out").toString()));
        int code = Main.run(new PrintWriter(out, true), new PrintWriter(err, true), texts.toArray(String[]::new));
        assertEquals(0, code, err + out.toString());
        assertFalse(Files.exists(dir.resolve("out")));
        return out.toString();
    }

    @ParameterizedTest
    @CsvSource({"bloom-176b, bloom, 70, 176 2", "opt-175b, opt, 96, 174 6", "llama-3.1-405b, llama, 126, 405 8", "deepseek-r1, deepseek_v3, 61, 671 0"})
    void planIsPrinted(String config, String family, int blocks, String billions) throws IOException {
        for (String method : List.of("rtn", "gptq")) {
            String plan = run(method.equals("rtn") ? model(config) : dir.resolve(config), "--method", method);
            assertTrue(plan.contains(family + ", " + blocks + " blocks"), plan);
            assertTrue(plan.replaceAll("\\s+", " ").contains(billions.substring(0, 3)), plan);
            for (String line : List.of("bits of a quantized weight", "output size", "memory", "time on this machine", "free disk")) {
                assertTrue(plan.contains(line), plan);
            }
        }
    }

    /** Half a byte a weight and two bytes of scale for 128 of them; the rest 16 bits. One expert at a time: far less memory than the one block. */
    @Test
    void numbersOfDeepSeekR1() throws IOException {
        JsonNode plan = new ObjectMapper().readTree(run(model("deepseek-r1"), "--method", "rtn", "--json"));
        assertEquals(61, plan.get("blocks").asInt());
        assertEquals(61 * 5 + 3 * 3 + 58 * (1 + 3 + 3 * 256), plan.get("layers").size());
        assertEquals(4.125, plan.get("bitsPerWeight").asDouble(), 1e-9);
        double ends = 2.0 * 129280 * 7168;
        double routers = 58.0 * 256 * 7168;
        double expected = (671.026e9 - ends - routers) * 4.125 / 8 + (ends + routers) * 2;
        assertEquals(1, plan.get("outputBytes").asDouble() / expected, 0.01);
        assertTrue(plan.get("memoryBytes").asLong() < 8_000_000_000L, plan.get("memoryBytes").asText());
        assertTrue(plan.get("seconds").asDouble() > 60);
    }
}
