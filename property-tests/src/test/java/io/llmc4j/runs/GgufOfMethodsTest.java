package io.llmc4j.runs;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.llmc4j.engine.calibrate.CalibrationSet;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Decoder;
import io.llmc4j.engine.model.ForwardHooks;
import io.llmc4j.engine.model.Hidden;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.ModelEnds;
import io.llmc4j.engine.model.NormSlot;
import io.llmc4j.engine.pipeline.BlockFold;
import io.llmc4j.engine.pipeline.ModelSink;
import io.llmc4j.engine.pipeline.ModelSource;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.pipeline.RunListener;
import io.llmc4j.engine.pipeline.SchemePlan;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import io.llmc4j.formats.export.Exports;
import io.llmc4j.formats.export.gguf.GgufModel;
import io.llmc4j.formats.export.gguf.block.GgmlType;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.formats.text.Tokenizer;
import io.llmc4j.golden.LlamaCpp;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Methods' models as GGUF: the file computes what the run's own rounded (or rotated) model computes, and a real llama.cpp, where there is one,
 * continues with the same tokens. The model is the sample's first two blocks in float32.
 */
class GgufOfMethodsTest {

    private static final String TEXT = "The old man walked along the river and";
    private static final int COUNT = 12;

    @TempDir
    static Path tmp;
    private static int[][] windows;

    /** A method's outcome twice: as a GGUF file, and as floats that were quantized and dequantized. */
    private record Outcome(Path gguf, Path floats) { }

    @BeforeAll
    static void open() throws IOException {
        cut(tmp.resolve("untied"), false);
        cut(tmp.resolve("tied"), true);
        try (Tokenizer t = Tokenizer.open(sample())) {
            int[] ids = t.encode(Files.readString(sample().resolveSibling("calibration.txt")).substring(0, 2000), false);
            windows = new int[3][];
            for (int i = 0; i < windows.length; i++) {
                windows[i] = Arrays.copyOfRange(ids, 48 * i, 48 * (i + 1));
            }
        }
    }

    private static Path sample() {
        String root = System.getProperty("llmc4j.root");
        return (root == null ? Path.of("..") : Path.of(root)).resolve("cli/samples/tiny-llama-en");
    }

    private static void cut(Path to, boolean tied) throws IOException {
        Files.createDirectory(to);
        for (String f : List.of("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "model.safetensors")) {
            Files.copy(sample().resolve(f), to.resolve(f));
        }
        ObjectNode config = (ObjectNode) new ObjectMapper().readTree(sample().resolve("config.json").toFile());
        config.put("num_hidden_layers", 2).put("dtype", "float32").put("tie_word_embeddings", tied);
        Files.writeString(to.resolve("config.json"), config.toString());
        try (HfModel m = HfModel.open(sample()); Arena arena = Arena.ofConfined()) {
            Map<String, Tensor> floats = new LinkedHashMap<>();
            m.store().names().stream().filter(n -> !n.matches("model\\.layers\\.[2-9].*") && !(tied && n.startsWith("lm_head"))).forEach(n ->
                    floats.put(n, Tensors.fromFloats(DType.F32, m.store().get(n).shape(), Tensors.toFloats(m.store().get(n)), arena)));
            AuditedModels.rewrite(to, n -> false, floats);
        }
    }

    private static Outcome run(String source, String format, String method, Map<String, Object> special, QuantScheme scheme) {
        return run(source, format, method, special, scheme, "fake");
    }

    private static Outcome run(String source, String format, String method, Map<String, Object> special, QuantScheme scheme, String reference) {
        Path at = tmp.resolve(method + format.replace(':', '-'));
        RunConfig config = RunConfig.of(method, special, SchemePlan.of(scheme)).withCalibration(new CalibrationSet("text", windows, -1, 48)).withQuantOut(true);
        try (HfModel m = HfModel.open(tmp.resolve(source)); ModelSink gguf = Exports.open(Exports.named(format), m, at.resolve("gguf"), 1L << 40, false);
             ModelSink floats = Exports.open(Exports.named(reference), m, at.resolve("floats"), 1L << 40, false)) {
            new BlockFold(m, config, List.of(gguf, floats), RunListener.NONE).run();
            assertEquals(List.of(), gguf.verify());
            assertEquals(List.of(), floats.verify());
        }
        return new Outcome(file(at.resolve("gguf")), at.resolve("floats"));
    }

    private static Path file(Path directory) {
        try (Stream<Path> files = Files.list(directory)) {
            return files.filter(p -> p.toString().endsWith(".gguf")).findFirst().orElseThrow();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static float[] logits(ModelSource blocks, ModelEnds ends) {
        Decoder decoder = new Decoder(blocks.spec());
        Hidden h = decoder.embed(ends, new int[][] {windows[0]});
        for (int i = 0; i < blocks.spec().blocks(); i++) {
            h = decoder.block(blocks.block(i), h, ForwardHooks.NONE);
        }
        return decoder.logits(ends, h).data();
    }

    private static double relative(float[] a, float[] b) {
        double error = 0;
        double power = 0;
        for (int i = 0; i < a.length; i++) {
            error += (double) (a[i] - b[i]) * (a[i] - b[i]);
            power += (double) b[i] * b[i];
        }
        return Math.sqrt(error / power);
    }

    /** How far the logits are from those of the run's blocks, both with the file's embedding and head: what the blocks' encoding alone does. */
    private static double distance(Outcome o) {
        try (GgufModel g = GgufModel.open(o.gguf); HfModel floats = HfModel.open(o.floats)) {
            return relative(logits(g, g.ends()), logits(floats, g.ends()));
        }
    }

    private static void llamaCpp(Path file) throws Exception {
        if (LlamaCpp.nodeModules().isEmpty()) {
            return;
        }
        try (Tokenizer t = Tokenizer.open(sample())) {
            List<Integer> prompt = Arrays.stream(t.encode(TEXT, false)).boxed().toList();
            JsonNode answer = LlamaCpp.ask(tmp, file, COUNT, prompt, TEXT);
            LlamaCpp.sameTokens(file, prompt, LlamaCpp.integers(answer.get("greedy")), COUNT);
        }
    }

    /** Weights that AWQ scaled and clipped are encoded, not its nearest codes once more: that costs no more than the same type costs the float model. */
    @ParameterizedTest
    @ValueSource(strings = {"Q4_K_M", "Q4_0"})
    void awq(String type) throws Exception {
        QuantScheme scheme = QuantScheme.integer(4, false, Granularity.perGroup(128));
        Outcome awq = run("untied", "gguf:" + type, "Awq", Map.of("trans", true, "trans_version", "v2", "weight_clip", true, "clip_sym", false), scheme, "trans");
        Outcome plain = run("untied", "gguf:" + type, "RTN", Map.of(), QuantScheme.integer(16, true, Granularity.PER_CHANNEL));
        double d = distance(awq);
        assertTrue(d > 0 && d < 1.5 * distance(plain), type + ": " + d + ", plain " + distance(plain));
        try (GgufModel g = GgufModel.open(awq.gguf); HfModel floats = HfModel.open(awq.floats); HfModel source = HfModel.open(tmp.resolve("untied"))) {
            assertEquals(GgmlType.valueOf(type.substring(0, 4)), g.type("blk.0.attn_q.weight"));
            // AWQ folds its scales into the norms: they moved, and the file has them as they are now.
            float[] norm = g.block(0).norm(NormSlot.ATTENTION_INPUT).orElseThrow().weight();
            assertArrayEquals(floats.block(0).norm(NormSlot.ATTENTION_INPUT).orElseThrow().weight(), norm);
            assertFalse(Arrays.equals(source.block(0).norm(NormSlot.ATTENTION_INPUT).orElseThrow().weight(), norm));
        }
        llamaCpp(awq.gguf);
    }

    /** GPTQ's own codes are Q4_0's: only scales lose bits. */
    @Test
    void gptq() throws Exception {
        Outcome o = run("untied", "gguf:Q4_0", "GPTQ", Map.of("actorder", true, "static_groups", true, "percdamp", 0.01, "blocksize", 128, "true_sequential", true),
                QuantScheme.integer(4, true, Granularity.perGroup(32)));
        assertTrue(distance(o) < 1e-3, "" + distance(o));
        try (GgufModel g = GgufModel.open(o.gguf); HfModel floats = HfModel.open(o.floats)) {
            for (int b = 0; b < 2; b++) {
                Block want = floats.block(b);
                for (Linear l : g.block(b).linears()) {
                    assertEquals(GgmlType.Q4_0, g.type("blk." + b + "." + l.name() + ".weight"));
                    assertTrue(relative(l.weight().data(), want.linear(l.role()).orElseThrow().weight().data()) < 0x1p-11, l.name());
                }
            }
        }
        llamaCpp(o.gguf);
    }

    /** A tied model that was rotated: the head is a tensor of its own, and the norms are what the rotation left. */
    @Test
    void quarot() throws Exception {
        Outcome o = run("tied", "gguf:Q8_0", "QuaRot", Map.of("rotate_mode", "hadamard", "keep_embedding_mean", true), QuantScheme.integer(8, true, Granularity.perGroup(32)));
        try (GgufModel g = GgufModel.open(o.gguf); HfModel floats = HfModel.open(o.floats); HfModel source = HfModel.open(tmp.resolve("tied"))) {
            assertTrue(source.ends().tied() && !g.ends().tied());
            for (int b = 0; b < 2; b++) {
                for (NormSlot slot : List.of(NormSlot.ATTENTION_INPUT, NormSlot.MLP_INPUT)) {
                    for (float w : g.block(b).norm(slot).orElseThrow().weight()) {
                        assertEquals(1f, w);
                    }
                }
            }
            for (float w : g.ends().finalNorm().orElseThrow().weight()) {
                assertEquals(1f, w);
            }
            assertTrue(relative(logits(g, g.ends()), logits(floats, floats.ends())) < 0.01);
            // The rotated model is the source: 8 bits are all that is between them.
            assertTrue(relative(logits(g, g.ends()), logits(source, source.ends())) < 0.02);
        }
        llamaCpp(o.gguf);
    }

    @Test
    void saysWhetherLlamaCppRan() {
        assumeTrue(LlamaCpp.nodeModules().isPresent(), LlamaCpp.HOW);
    }
}
