package io.llmc4j.safety;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.llmc4j.cli.Main;
import io.llmc4j.engine.safetensors.SafetensorsWriter;
import io.llmc4j.engine.safetensors.TensorDeclaration;
import io.llmc4j.engine.safetensors.WriterOptions;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensor;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/**
 * The memory that a plan states is what the process then takes at its peak, as the system counts it (only Linux tells), within 15 %: for a model so small that
 * the virtual machine takes most of it, and for one whose weights do. Processes have the options that the launcher gives.
 */
@EnabledOnOs(OS.LINUX)
class PlanMemoryTest {

    private static final int HIDDEN = 1536;
    private static final int INNER = 6144;
    private static final Path SAMPLE = Path.of(System.getProperty("llmc4j.root"), "cli/samples/tiny-llama-en");

    @TempDir
    Path dir;

    @Test
    void aSmallModel() throws Exception {
        holds(SAMPLE, "-m", "rtn", "--no-eval");
    }

    @Test
    void aSmallModelThatTokensFlowThrough() throws Exception {
        holds(SAMPLE, "-m", "smoothquant", "-b", "8", "-a", "8", "--samples", "16", "--seq-len", "128", "--no-eval");
    }

    @Test
    void wideLayers() throws Exception {
        holds(wide(2), "-m", "rtn", "--no-eval");
    }

    @Test
    void wideBlocksThatTokensFlowThrough() throws Exception {
        holds(wide(2), "-m", "smoothquant", "-b", "8", "-a", "8", "--samples", "4", "--seq-len", "64", "--no-eval");
    }

    private void holds(Path model, String... options) throws Exception {
        List<String> arguments = new ArrayList<>(List.of("quantize", model.toString(), "-o", dir.resolve("out").toString()));
        arguments.addAll(List.of(options));
        List<String> dry = new ArrayList<>(arguments);
        dry.addAll(List.of("--dry-run", "--json"));
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        assertEquals(0, Main.run(new PrintWriter(out, true), new PrintWriter(err, true), dry.toArray(String[]::new)), err.toString());
        long plan = new ObjectMapper().readTree(out.toString()).get("memoryBytes").asLong();
        List<String> line = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-XX:+UseSerialGC", "-Xmn64m", "-XX:-UsePerfData", "-Xmx3g",
                "--enable-native-access=ALL-UNNAMED", "--add-modules", "jdk.incubator.vector", "-cp", KillTest.classPath(), "io.llmc4j.cli.Main"));
        line.addAll(arguments);
        Path errors = dir.resolve("errors.txt");
        int code = new ProcessBuilder(line).redirectError(errors.toFile()).redirectOutput(ProcessBuilder.Redirect.DISCARD).start().waitFor();
        assertEquals(0, code, Files.readString(errors));
        long peak = new ObjectMapper().readTree(Files.readString(dir.resolve("out/report.json"))).get("peakRssBytes").asLong();
        double share = (double) plan / peak;
        System.out.printf("%s: planned %d MB, %d MB were taken%n", String.join(" ", options), plan / 1_000_000, peak / 1_000_000);
        assertTrue(share > 1 / 1.15 && share < 1.15, "planned " + plan / 1_000_000 + " MB, at most " + peak / 1_000_000 + " MB were taken");
    }

    /** Blocks of the same random bytes, in one shard. */
    private Path wide(int blocks) throws IOException {
        Path model = Files.createDirectories(dir.resolve("wide"));
        for (String f : List.of("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")) {
            Files.copy(SAMPLE.resolve(f), model.resolve(f));
        }
        Files.writeString(model.resolve("config.json"), Files.readString(SAMPLE.resolve("config.json")).replace("\"hidden_size\": 256", "\"hidden_size\": " + HIDDEN)
                .replace("\"intermediate_size\": 768", "\"intermediate_size\": " + INNER).replace("\"num_hidden_layers\": 6", "\"num_hidden_layers\": " + blocks)
                .replace("\"head_dim\": 32", "\"head_dim\": " + HIDDEN / 8));
        Map<String, Shape> tensors = new LinkedHashMap<>();
        tensors.put("model.embed_tokens.weight", new Shape(4096, HIDDEN));
        tensors.put("model.norm.weight", new Shape(HIDDEN));
        tensors.put("lm_head.weight", new Shape(4096, HIDDEN));
        for (int b = 0; b < blocks; b++) {
            String p = "model.layers." + b + ".";
            tensors.put(p + "input_layernorm.weight", new Shape(HIDDEN));
            tensors.put(p + "post_attention_layernorm.weight", new Shape(HIDDEN));
            tensors.put(p + "self_attn.q_proj.weight", new Shape(HIDDEN, HIDDEN));
            tensors.put(p + "self_attn.k_proj.weight", new Shape(HIDDEN / 2, HIDDEN));
            tensors.put(p + "self_attn.v_proj.weight", new Shape(HIDDEN / 2, HIDDEN));
            tensors.put(p + "self_attn.o_proj.weight", new Shape(HIDDEN, HIDDEN));
            tensors.put(p + "mlp.gate_proj.weight", new Shape(INNER, HIDDEN));
            tensors.put(p + "mlp.up_proj.weight", new Shape(INNER, HIDDEN));
            tensors.put(p + "mlp.down_proj.weight", new Shape(HIDDEN, INNER));
        }
        List<TensorDeclaration> declared = tensors.entrySet().stream().map(e -> new TensorDeclaration(e.getKey(), DType.BF16, e.getValue())).toList();
        try (Arena arena = Arena.ofConfined(); SafetensorsWriter w = SafetensorsWriter.create(model.resolve("model.safetensors"), declared, Map.of("format", "pt"), WriterOptions.STRICT)) {
            MemorySegment bytes = arena.allocate(2L * HIDDEN * INNER);
            SplittableRandom random = new SplittableRandom(3);
            for (long i = 0; i < bytes.byteSize(); i += 2) {
                // bf16 of 0.01 to 0.08, either sign
                bytes.set(ValueLayout.JAVA_SHORT, i, (short) (0x3c20 + random.nextInt(0x180) | (random.nextBoolean() ? 0x8000 : 0)));
            }
            tensors.forEach((name, shape) -> w.write(name, new Tensor(DType.BF16, shape, bytes.asSlice(0, 2 * shape.elements()))));
            w.finish();
        }
        return model;
    }
}
