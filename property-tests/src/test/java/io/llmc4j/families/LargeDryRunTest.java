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
        return model(config, "configs/" + config + ".json");
    }

    private Path model(String name, String resource) throws IOException {
        Path model = Files.createDirectories(dir.resolve(name));
        try (InputStream in = LargeDryRunTest.class.getClassLoader().getResourceAsStream(resource)) {
            Files.copy(in, model.resolve("config.json"));
        }
        return model;
    }

    private String run(Object... args) {
        return ended(0, args);
    }

    private String ended(int expected, Object... args) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        List<String> texts = new ArrayList<>(List.of("quantize"));
        for (Object a : args) {
            texts.add(a.toString());
        }
        texts.addAll(List.of("--dry-run", "--no-eval", "--out", dir.resolve("out").toString()));
        int code = Main.run(new PrintWriter(out, true), new PrintWriter(err, true), texts.toArray(String[]::new));
        assertEquals(expected, code, err + out.toString());
        assertFalse(Files.exists(dir.resolve("out")));
        return expected == 0 ? out.toString() : err.toString();
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

    /** 256 experts' Hessians of 7168 and 2048 inputs, all at once where layers are not calibrated subset by subset. */
    @Test
    void hessiansOfAllExpertsAreInThePlan() throws IOException {
        Path model = model("deepseek-r1");
        long few = new ObjectMapper().readTree(run(model, "--method", "gptq", "--json")).get("memoryBytes").asLong();
        long all = new ObjectMapper().readTree(run(model, "--method", "gptq", "--set", "true_sequential=false", "--json")).get("memoryBytes").asLong();
        // a quarter more, and what comes between two looks at the heap
        assertEquals(1, (all - few) / (1.25 * 17 / 16 * 256 * 4 * (7168.0 * 7168 + 2048.0 * 2048)), 0.1);
    }

    @Test
    void optionsOfMixturesReachThePlan() throws IOException {
        Path model = model("mixtral", "families/mixtral/config.json");
        Object[] usual = {model, "--method", "rtn", "--group-size", "16", "--json"};
        JsonNode plan = new ObjectMapper().readTree(run(usual));
        assertEquals(List.of("float", "float"), routers(plan));
        assertTrue(plan.at("/config/experts").isMissingNode());
        JsonNode asked = new ObjectMapper().readTree(run(model, "--method", "rtn", "--group-size", "16", "--json", "--quantize-routers", "--calibrate-all-experts",
                "--uncalibrated-experts", "nearest"));
        assertTrue(routers(asked).stream().allMatch(s -> s.startsWith("int4")), routers(asked).toString());
        assertEquals("nearest", asked.at("/config/experts/uncalibrated").asText());
        assertTrue(ended(2, model, "--method", "rtn", "--uncalibrated-experts", "none").contains("--uncalibrated-experts"));
    }

    private static List<String> routers(JsonNode plan) {
        List<String> out = new ArrayList<>();
        plan.get("layers").forEach(l -> {
            if (l.get("name").asText().endsWith("block_sparse_moe.gate")) {
                out.add(l.get("scheme").asText());
            }
        });
        return out;
    }

    /** Attention stays float without being asked for: the layout has no codes for it. */
    @Test
    void onlyExpertsOfGptOssBecomeMxfp4() throws IOException {
        Path model = model("gpt-oss", "families/gpt-oss-mxfp4/config.json");
        JsonNode plan = new ObjectMapper().readTree(run(model, "--method", "rtn", "--bits", "mxfp4", "--export", "mxfp4", "--json"));
        plan.get("layers").forEach(l -> assertEquals(l.get("name").asText().contains(".experts."), !l.get("scheme").asText().equals("float"), l.toString()));
        assertTrue(ended(2, model, "--method", "rtn", "--export", "mxfp4").contains("--bits mxfp4"));
    }

    @Test
    void stackedExpertsAreRefusedBeforeAnythingIsRead() throws IOException {
        Path model = model("gpt-oss", "families/gpt-oss/config.json");
        String why = ended(2, model, "--method", "rtn", "--group-size", "16", "--export", "vllm");
        assertTrue(why.contains("stacks all experts in one tensor"), why);
        assertTrue(why.contains("mxfp4"), why);
        assertTrue(why.contains("gguf"), why);
        run(model, "--method", "rtn", "--group-size", "16", "--export", "fake");
    }
}
