package io.llmc4j.runs;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.llmc4j.cli.Main;
import io.llmc4j.engine.calibrate.CalibrationSet;
import io.llmc4j.engine.evaluate.Evaluation;
import io.llmc4j.engine.evaluate.Position;
import io.llmc4j.engine.pipeline.BlockFold;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.pipeline.RunListener;
import io.llmc4j.engine.pipeline.SchemePlan;
import io.llmc4j.engine.pipeline.TargetBits;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.formats.text.Tokenizer;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code --target-bits} as a user meets it: the budget, the table, refusals, the same bytes again and after a stop; and that it is worth it. */
class TargetBitsCommandTest {

    private static final Path SAMPLES = Path.of(System.getProperty("llmc4j.root"), "cli", "samples");

    @TempDir
    static Path dir;
    private static Path model;

    @BeforeAll
    static void prepare() throws IOException {
        model = SampleBlocks.write(dir.resolve("model"), 2);
    }

    private record Told(int code, String out, String err) { }

    private static Told llmc4j(String... args) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        return new Told(Main.run(new PrintWriter(out, true), new PrintWriter(err, true), args), out.toString(), err.toString());
    }

    private static String[] quantize(Path out, String... more) {
        List<String> args = new ArrayList<>(List.of("quantize", model.toString(), "--method", "rtn", "--samples", "2", "--seq-len", "64", "--no-eval", "--out",
                out.toString()));
        args.addAll(List.of(more));
        if (!args.contains("--export")) {
            args.addAll(List.of("--export", "compressed-tensors"));
        }
        return args.toArray(String[]::new);
    }

    @Test
    void theBudgetHoldsAndTheReportTellsWhatWasChosen() throws IOException {
        Path out = dir.resolve("chosen");
        Told told = llmc4j(quantize(out, "--target-bits", "3.5"));
        assertEquals(0, told.code, told.err);
        assertTrue(told.out.contains("bits by sensitivity: 3.") && told.out.contains("loss at 2") && told.out.contains("gate_proj, up_proj"), told.out);
        JsonNode report = new ObjectMapper().readTree(out.resolve("report.json").toFile());
        JsonNode chosen = report.get("targetBits");
        assertEquals(3.5, chosen.get("target").asDouble());
        double bits = 0;
        long weights = 0;
        for (JsonNode l : report.get("layers")) {
            long n = l.get("shape").get(0).asLong() * l.get("shape").get(1).asLong();
            bits += l.get("bits").asDouble() * n;
            weights += n;
        }
        assertEquals(chosen.get("average").asDouble(), bits / weights, 1e-9);
        assertTrue(bits / weights <= 3.5 && bits / weights > 3.2, "average " + bits / weights);
        Set<Integer> widths = new HashSet<>();
        for (JsonNode row : chosen.get("layers")) {
            widths.add(row.get("width").asInt());
            assertEquals(6, row.get("errors").size());
        }
        assertTrue(widths.size() > 1, "one width for all: " + widths);

        Path again = dir.resolve("again");
        assertEquals(0, llmc4j(quantize(again, "--target-bits", "3.5", "--threads", "1")).code);
        Path stopped = dir.resolve("stopped");
        PrintWriter dies = new PrintWriter(new DiesAtBlock(1), true);
        assertTrue(Main.run(dies, new PrintWriter(new StringWriter()), quantize(stopped, "--target-bits", "3.5")) != 0);
        assertFalse(Files.exists(stopped.resolve("report.json")));
        Told other = llmc4j(quantize(stopped, "--target-bits", "3.6", "--resume"));
        assertTrue(other.code == 2 && other.err.contains("target bits was 3.5 bits"), other.err);
        Told resumed = llmc4j(quantize(stopped, "--target-bits", "3.5", "--resume"));
        assertEquals(0, resumed.code, resumed.err);
        byte[] bytes = Files.readAllBytes(out.resolve("model.safetensors"));
        assertArrayEquals(bytes, Files.readAllBytes(again.resolve("model.safetensors")), "run again");
        assertArrayEquals(bytes, Files.readAllBytes(stopped.resolve("model.safetensors")), "resumed");
    }

    /** A terminal that goes away at the first layer of a block. */
    private static final class DiesAtBlock extends Writer {
        private final int block;

        DiesAtBlock(int block) {
            this.block = block;
        }

        @Override
        public void write(char[] text, int from, int length) {
            if (new String(text, from, length).startsWith("    " + block + "  self_attn")) {
                throw new IllegalStateException("gone");
            }
        }

        @Override
        public void flush() {
        }

        @Override
        public void close() {
        }
    }

    @Test
    void aFileMayHoldIt() throws IOException {
        Path config = Path.of(System.getProperty("llmc4j.root"), "cli/src/main/resources/configs/rtn_target_bits.yml");
        Path out = dir.resolve("file");
        Told told = llmc4j("run", "--config", config.toString(), "--dry-run", "--json", "--set", "model.path=" + model, "--set", "save.save_path=" + out);
        assertEquals(0, told.code, told.err);
        JsonNode plan = new ObjectMapper().readTree(told.out);
        assertEquals(plan.get("targetBits").get("target").asDouble(), plan.get("bitsPerWeight").asDouble(), 1e-9);
        assertFalse(Files.exists(out));
    }

    @Test
    void whatCannotBeIsRefusedAtOnce() {
        Map<String, List<String>> wrong = Map.of(
                "these can: ", List.of("--target-bits", "5", "--export", "autoawq"),
                "types of its own", List.of("--target-bits", "5", "--export", "gguf"),
                "2.125 to 8.125 bits", List.of("--target-bits", "2"),
                "2.125 to 8.125", List.of("--target-bits", "9"),
                "carries 4 alone; these can: trans, fake, compressed-tensors", List.of("--target-bits", "5", "--target-widths", "4,5", "--export", "vllm"),
                "integers from 2 to 8", List.of("--target-bits", "5", "--target-widths", "4,9"),
                "contradict each other", List.of("--target-bits", "5", "--bits", "4"),
                "is missing", List.of("--target-widths", "4,8"),
                "both say how many bits", List.of("--target-bits", "5", "--set", "quant.mix_bits={setting_0: {layer_name: [q_proj], do_quant: False}}"));
        wrong.forEach((sentence, options) -> {
            Path out = dir.resolve("refused");
            Told told = llmc4j(quantize(out, options.toArray(String[]::new)));
            assertEquals(2, told.code, options + ": " + told.out + told.err);
            assertTrue(told.err.contains(sentence), options + ": " + told.err);
            assertFalse(Files.exists(out), options.toString());
        });
    }

    /** On the whole sample, 2.5 bits: widths by sensitivity against 2 bits for all with as small groups as the budget buys. */
    @Test
    void betterThanUniformAtTheSameBudget() throws IOException {
        int[][] calibration;
        int[][] evaluation;
        try (Tokenizer t = Tokenizer.open(SAMPLES.resolve("tiny-llama-en"))) {
            calibration = Arrays.copyOf(Evaluation.windows(t.encode(Files.readString(SAMPLES.resolve("calibration.txt")).substring(0, 10_000), false), 128), 8);
            evaluation = Arrays.copyOf(Evaluation.windows(t.encode(Files.readString(SAMPLES.resolve("evaluation.txt")).substring(0, 20_000), false), 256), 12);
        }
        RunConfig wide = RunConfig.of("RTN", Map.of(), SchemePlan.of(QuantScheme.integer(2, true, Granularity.perGroup(128))))
                .withCalibration(new CalibrationSet("calibration", calibration, 1, 128))
                .withEvaluations(List.of(Evaluation.perplexity("evaluation", evaluation, Position.FAKE_QUANT)));
        try (HfModel sample = HfModel.open(SAMPLES.resolve("tiny-llama-en"))) {
            TargetBits.Choice choice = TargetBits.choose(sample, wide, TargetBits.WIDTHS, 2.5, RunListener.NONE);
            assertTrue(choice.averageBits() <= 2.5, "average " + choice.averageBits());
            double chosen = perplexity(sample, wide.withSchemes(choice.schemes()));
            double uniform = perplexity(sample, wide.withSchemes(SchemePlan.of(QuantScheme.integer(2, true, Granularity.perGroup(32)))));
            System.out.printf("tiny-llama-en at 2.5 bits a weight: widths by sensitivity %.2f, 2 bits in groups of 32 %.2f%n", chosen, uniform);
            assertTrue(Math.log(chosen) < Math.log(uniform) - 0.03, chosen + " and uniform " + uniform);
        }
    }

    private static double perplexity(HfModel sample, RunConfig config) {
        return new BlockFold(sample, config, List.of(), RunListener.NONE).run().evaluations().getFirst().value();
    }
}
