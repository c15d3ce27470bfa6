package io.llmc4j.runs;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.llmc4j.cli.Main;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The command line in this process: what it prints, what it refuses, which code it ends with. */
class CommandLineTest {

    private static final Path ROOT = Path.of(System.getProperty("llmc4j.root"));
    private static final String SAMPLE = ROOT.resolve("cli/samples/tiny-llama-en").toString();

    @TempDir
    Path dir;

    private record Ran(int code, String out, String err) { }

    private static Ran run(Object... args) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        List<String> texts = new ArrayList<>();
        for (Object a : args) {
            texts.add(a.toString());
        }
        int code = Main.run(new PrintWriter(out, true), new PrintWriter(err, true), texts.toArray(String[]::new));
        return new Ran(code, out.toString(), err.toString());
    }

    private static Ran refused(Object... args) {
        Ran r = run(args);
        assertEquals(2, r.code(), r.err() + r.out());
        assertFalse(r.err().contains("\tat "), r.err());
        return r;
    }

    private void nothingWritten() throws IOException {
        try (Stream<Path> entries = Files.list(dir)) {
            assertEquals(List.of(), entries.filter(p -> !p.getFileName().toString().endsWith(".yml")).toList());
        }
    }

    @Test
    void helpTellsDefaultsAndExitCodes() {
        for (String command : List.of("quantize", "run", "eval", "inspect", "methods", "models")) {
            Ran r = run(command, "--help");
            assertEquals(0, r.code());
            assertTrue(r.out().contains("finished, but the check of the written model failed"), command);
            assertTrue(r.out().startsWith("Usage: llmc4j " + command), r.out());
        }
        String quantize = run("quantize", "--help").out();
        // Every option that may be left out says what then happens.
        for (String block : quantize.substring(quantize.indexOf("  -m,")).split("\n(?=  (-[a-zA-Z],|    --))")) {
            String text = block.replaceAll("\\s+", " ");
            if (!text.contains("--help") && !text.contains("--version") && !text.contains("--out=") && !text.contains("--asymmetric ")) {
                assertTrue(text.toLowerCase(java.util.Locale.ROOT).contains("default:"), text);
            }
        }
        assertTrue(run("--help").out().contains("quantize"));
        assertEquals(0, run("--version").code());
    }

    @Test
    void slipsOfTheFingerGetAHint() {
        assertTrue(refused("quantise").err().contains("did you mean quantize?"));
        assertTrue(refused("inspect", "x", "--jsno").err().contains("did you mean --json"));
        assertEquals("", run().out());
        assertTrue(refused("quantize", SAMPLE, "--method", "qptq", "--out", dir.resolve("o")).err().contains("did you mean 'GPTQ'?"));
        assertTrue(refused("quantize", SAMPLE, "--method", "wanda", "--out", dir.resolve("o")).err().contains("run --config"));
        assertTrue(refused("quantize", SAMPLE, "--method", "rtn", "--export", "vlm", "--out", dir.resolve("o")).err().contains("did you mean 'vllm'?"));
        assertTrue(refused("methods", "ompiquant").err().contains("did you mean 'OmniQuant'?"));
    }

    @Test
    void badInputWritesNothing() throws IOException {
        Path out = dir.resolve("o");
        assertTrue(refused("quantize", dir.resolve("none"), "-m", "rtn", "-o", out).err().contains("there is no such model directory"));
        assertTrue(refused("quantize", SAMPLE, "-m", "rtn", "-o", SAMPLE).err().contains("input and output are the same directory"));
        assertTrue(refused("quantize", SAMPLE, "-m", "rtn", "-o", Path.of(SAMPLE).resolve("out")).err().contains("lies in the model's directory"));
        assertTrue(refused("quantize", SAMPLE, "-m", "rtn", "-o", Path.of(SAMPLE).getParent()).err().contains("holds the model"));
        assertTrue(refused("quantize", SAMPLE, "-m", "rtn", "-g", "100", "-o", out).err().startsWith("group_size 100 does not divide in_features of 42 layers:\n"
                + "  model.layers.0.self_attn.q_proj  in_features 256 (2 groups of 100 and 56 left)"));
        assertTrue(refused("quantize", SAMPLE, "-m", "rtn", "-e", "autoawq", "-b", "3", "-o", out).err().contains("export autoawq cannot carry this run"));
        assertTrue(refused("quantize", SAMPLE, "-m", "rtn", "-e", "autoawq", "--symmetric", "-o", out).err().contains("autoawq"));
        assertTrue(refused("quantize", SAMPLE, "-m", "rtn", "--calib", dir.resolve("no.txt"), "--eval", dir.resolve("no.txt"), "-o", out).err().contains("no.txt"));
        assertTrue(refused("quantize", SAMPLE, "-m", "rtn", "--set", "alhpa=1", "-o", out).err().contains("unknown key 'alhpa'"));
        assertTrue(refused("quantize", SAMPLE, "-m", "rtn", "--symmetric", "--asymmetric", "-o", out).err().contains("contradict"));
        assertTrue(refused("quantize", SAMPLE, "-m", "rtn", "--seq-len", "999999", "-o", out).err().contains("999999"));
        assertTrue(refused("quantize", SAMPLE, "-m", "rtn", "--threads", "0", "-o", out).err().contains("--threads is 0"));
        assertTrue(refused("eval", SAMPLE, "--data", dir.resolve("no.txt")).err().contains("there is no such file"));
        assertTrue(refused("eval", dir).err().contains("config.json"));
        assertTrue(refused("inspect", dir.resolve("no")).err().contains("there is no such file"));
        nothingWritten();
        Files.createDirectories(dir.resolve("full"));
        Files.writeString(dir.resolve("full/x"), "x");
        assertTrue(refused("quantize", SAMPLE, "-m", "rtn", "-o", dir.resolve("full")).err().contains("is not empty (x is in it); give another one, or --overwrite"));
        assertEquals("x", Files.readString(dir.resolve("full/x")));
    }

    @Test
    void errorsAreJsonToo() throws IOException {
        Ran r = refused("quantize", SAMPLE, "-m", "rtn", "-g", "100", "--json", "-o", dir.resolve("o"));
        JsonNode error = new ObjectMapper().readTree(r.out()).get("error");
        assertEquals("CONFIG", error.get("kind").asText());
        assertTrue(error.get("message").asText().startsWith("group_size 100"));
    }

    @Test
    void aPlanWritesNothing() throws IOException {
        Ran r = run("quantize", SAMPLE, "-m", "rtn", "-b", "3", "-g", "64", "-o", dir.resolve("o"), "--dry-run");
        assertEquals(0, r.code(), r.err());
        assertTrue(r.out().contains("mlp.down_proj     256  768      6  3.250  int3 symmetric per_group 64"), r.out());
        assertTrue(r.out().contains("bits of a quantized weight  3.250"), r.out());
        JsonNode plan = new ObjectMapper().readTree(run("quantize", SAMPLE, "-m", "rtn", "-o", dir.resolve("o"), "--dry-run", "--json").out());
        assertEquals(42, plan.get("layers").size());
        assertEquals(6_815_744, plan.get("parameters").asLong());
        nothingWritten();
    }

    @Test
    void inspectListsTensors() throws IOException {
        Ran r = run("inspect", SAMPLE);
        assertEquals(0, r.code(), r.err());
        assertTrue(r.out().contains("model.layers.0.mlp.down_proj.weight             BF16  [256, 768]    393216"), r.out());
        assertTrue(r.out().contains("quantization: none"));
        JsonNode json = new ObjectMapper().readTree(run("inspect", SAMPLE, "--json", "--filter", "lm_head").out());
        assertEquals(1, json.get("tensors").size());
        assertEquals(6_819_072, json.get("elements").asLong());
    }

    @Test
    void aWholeRun() throws IOException {
        Path out = dir.resolve("o");
        Path text = ROOT.resolve("cli/samples/evaluation.txt");
        Ran r = run("quantize", SAMPLE, "-m", "rtn", "-b", "4", "-g", "64", "--eval", shorter(text), "--seq-len", "64", "-o", out);
        assertEquals(0, r.code(), r.err());
        assertTrue(r.out().contains("read back: every tensor agrees"), r.out());
        assertTrue(r.out().lines().filter(l -> l.contains("mlp.up_proj")).count() == 6, r.out());
        JsonNode report = new ObjectMapper().readTree(out.resolve("report.json").toFile());
        List<String> keys = new ArrayList<>();
        report.fieldNames().forEachRemaining(keys::add);
        assertEquals(List.of("model", "method", "config", "seed", "evaluations", "layers", "dropped", "files", "peakRssBytes", "seconds"), keys);
        assertEquals(42, report.get("layers").size());
        assertEquals(4.25, report.get("layers").get(0).get("bits").asDouble());
        double before = report.get("evaluations").get(0).get("value").asDouble();
        double after = report.get("evaluations").get(1).get("value").asDouble();
        assertTrue(after > before && after < before * 1.1, before + " " + after);
        for (JsonNode f : report.get("files")) {
            assertEquals(Files.size(out.resolve(f.get("name").asText())), f.get("bytes").asLong());
        }
        // The configuration in the report repeats the run; what was written can be read by the other commands.
        assertEquals(4, report.get("config").get("quant").get("weight").get("bit").asInt());
        assertTrue(run("inspect", out).out().contains("compressed-tensors, pack-quantized; group_0 weights: 4 bit int symmetric group 64"));
        Ran eval = run("eval", out, "--data", shorter(text), "--seq-len", "64", "--json");
        assertEquals(after, new ObjectMapper().readTree(eval.out()).get("perplexity").asDouble(), after * 1e-3);
        assertTrue(refused("quantize", SAMPLE, "-m", "rtn", "-o", out).err().contains("is not empty"));
    }

    private Path shorter(Path text) throws IOException {
        return Files.writeString(dir.resolve("eval.txt"), Files.readString(text).substring(0, 2000));
    }

    @Test
    void configurationsOfTheProject() throws IOException {
        try (Stream<Path> files = Files.list(ROOT.resolve("cli/src/main/resources/configs"))) {
            for (Path file : files.filter(f -> f.toString().endsWith(".yml")).sorted().toList()) {
                String text = Files.readString(file);
                assertTrue(text.startsWith("# "), file + " says in its first lines when to use it");
                Ran r = run("run", "--config", file, "--set", "model.path=" + SAMPLE, "--set", "save.save_path=" + dir.resolve("o"), "--dry-run");
                boolean missing = r.err().contains("is not here yet");
                assertEquals(missing ? 2 : 0, r.code(), file + "\n" + r.err());
            }
        }
        nothingWritten();
    }

    @Test
    void whatAConfigurationSavesGoesToSubdirectories() throws IOException {
        Path config = Files.writeString(dir.resolve("c.yml"), """
                base: {seed: 1}
                model: {type: Llama, path: %s, torch_dtype: auto}
                quant:
                    method: RTN
                    weight: {bit: 8, symmetric: True, granularity: per_channel}
                save:
                    save_vllm: True
                    save_fake: True
                    save_path: %s
                """.formatted(SAMPLE, dir.resolve("o")));
        Ran r = run("run", "--config", config);
        assertEquals(0, r.code(), r.err());
        assertTrue(Files.exists(dir.resolve("o/vllm_quant_model/model.safetensors")));
        assertTrue(Files.exists(dir.resolve("o/fake_quant_model/model.safetensors")));
        JsonNode report = new ObjectMapper().readTree(dir.resolve("o/report.json").toFile());
        assertTrue(report.get("files").toString().contains("vllm_quant_model/config.json"));
        Ran missing = refused("run", "--config", config, "--set", "save.save_vlm=True", "--set", "save.save_path=" + dir.resolve("p"));
        assertEquals("--set save.save_vlm: unknown key 'save_vlm' in save; did you mean 'save_vllm'?\n", missing.err());
    }
}
