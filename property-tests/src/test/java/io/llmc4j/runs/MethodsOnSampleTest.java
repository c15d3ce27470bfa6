package io.llmc4j.runs;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.calibrate.CalibrationSet;
import io.llmc4j.engine.evaluate.Evaluation;
import io.llmc4j.engine.evaluate.Position;
import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.pipeline.BlockFold;
import io.llmc4j.engine.pipeline.LayerResult;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.pipeline.RunListener;
import io.llmc4j.engine.pipeline.RunSummary;
import io.llmc4j.engine.pipeline.SchemePlan;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.formats.text.Tokenizer;
import io.llmc4j.golden.GoldenMethods;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.zip.CRC32;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Short runs of the methods that need no gradients on the sample model, with our own defaults: the model stays useful, and threads change no bit. */
class MethodsOnSampleTest {

    private static final Path SAMPLES = Path.of(System.getProperty("llmc4j.root", ".."), "cli", "samples");
    private static final QuantScheme W4 = QuantScheme.integer(4, false, Granularity.perGroup(64));
    private static final QuantScheme W8 = QuantScheme.integer(8, true, Granularity.PER_CHANNEL);
    private static final QuantScheme A8 = QuantScheme.integer(8, true, Granularity.PER_TOKEN);

    private static HfModel model;
    private static CalibrationSet calibration;
    private static Evaluation evaluation;
    private static double unchanged;

    private record Result(RunSummary summary, Map<String, Long> weights) {
        double perplexity(Position p) {
            return summary.evaluations().stream().filter(e -> e.position() == p).findFirst().orElseThrow().value();
        }
    }

    @BeforeAll
    static void open() throws IOException {
        Path dir = SAMPLES.resolve("tiny-llama-en");
        model = HfModel.open(dir);
        try (Tokenizer t = Tokenizer.open(dir)) {
            int[][] windows = Evaluation.windows(t.encode(Files.readString(SAMPLES.resolve("calibration.txt"))), 64);
            calibration = new CalibrationSet("calibration.txt", Arrays.copyOf(windows, 2), 1, 64);
            int[][] text = Evaluation.windows(t.encode(Files.readString(SAMPLES.resolve("evaluation.txt"))), 128);
            evaluation = Evaluation.perplexity("evaluation.txt", Arrays.copyOf(text, 2), Position.PRETRAIN, Position.TRANSFORMED, Position.FAKE_QUANT);
        }
        unchanged = run(config("RTN")).perplexity(Position.PRETRAIN);
    }

    @AfterAll
    static void close() {
        model.close();
    }

    private static RunConfig config(String method) {
        QuantScheme spqr = QuantScheme.integer(4, false, Granularity.perGroup(16)).withRoundZeroPoint(false);
        RunConfig c = switch (method) {
            case "RTN" -> RunConfig.of("RTN", Map.of(), SchemePlan.of(W4));
            case "HQQ axis 0" -> RunConfig.of("HQQ", Map.of("axis", 0), SchemePlan.of(W4.withRoundZeroPoint(false)));
            case "HQQ axis 1" -> RunConfig.of("HQQ", Map.of("axis", 1), SchemePlan.of(W4.withRoundZeroPoint(false)));
            case "OsPlus" -> RunConfig.of("OsPlus", Map.of(), SchemePlan.of(W8, A8));
            case "SpQR" -> RunConfig.of("SpQR", Map.of("true_sequential", true), SchemePlan.of(spqr)).withQuantOut(true);
            case "SpQR at once" -> RunConfig.of("SpQR", Map.of("true_sequential", false, "bilevel_rows", true, "simplified_outliers", true), SchemePlan.of(spqr));
            case "AdaDim" -> RunConfig.of("AdaDim", Map.of(), SchemePlan.of(W4, A8));
            case "QUIK" -> RunConfig.of("QUIK", Map.of("fp_features", 16), SchemePlan.of(QuantScheme.integer(4, true, Granularity.PER_CHANNEL), A8));
            case "LlmInt8" -> RunConfig.of("LlmInt8", Map.of("threshold", 2.0, "refresh_weight", true), SchemePlan.of(W8, A8));
            case "DGQ" -> RunConfig.of("DGQ", Map.of(), SchemePlan.of(W8.withFormat(new NumberFormat.Int4OverInt8(W8, W4,
                    new NumberFormat.SecondLevel(-1e9f, 1e9f, -1e9f, 1e9f))), A8));
            case "Magnitude" -> pruning("Magnitude", Map.of("sparsity", 0.3));
            case "Magnitude 2:4" -> pruning("Magnitude", Map.of("pattern", "2:4"));
            case "Wanda" -> pruning("Wanda", Map.of("sparsity", 0.3));
            case "Wanda 4:8" -> pruning("Wanda", Map.of("pattern", "4:8"));
            case "ShortGPT" -> pruning("ShortGPT", Map.of("n_prune_layers", 1));
            default -> throw new IllegalArgumentException(method);
        };
        return c.withCalibration(calibration).withEvaluations(List.of(evaluation));
    }

    private static RunConfig pruning(String method, Map<String, Object> settings) {
        return RunConfig.of(method, settings, new SchemePlan(Optional.empty(), Optional.empty(), List.of(), io.llmc4j.engine.pipeline.IgnoredLayers.NONE));
    }

    private static Result run(RunConfig config) {
        Map<String, Long> weights = new HashMap<>();
        RunListener listener = new RunListener() {
            @Override
            public void layerDone(LayerResult l) {
                CRC32 crc = new CRC32();
                for (float f : l.fake().data()) {
                    int b = Float.floatToRawIntBits(f);
                    crc.update(b >>> 24);
                    crc.update(b >>> 16);
                    crc.update(b >>> 8);
                    crc.update(b);
                }
                weights.put(l.fullName(), crc.getValue());
            }
        };
        return new Result(new BlockFold(model, config, List.of(), listener).run(), weights);
    }

    /** The bytes of every weight and the perplexity, on one and on three threads; on the small golden model. */
    private static void sameOnAnyThreads(String method) {
        int before = Parallel.threads();
        HfModel sample = model;
        try (HfModel small = HfModel.open(GoldenMethods.directory("llama_g"))) {
            model = small;
            int[][] ids = new int[2][48];
            for (int i = 0; i < 96; i++) {
                ids[i / 48][i % 48] = (i * i * 7 + 3 * i) % 512;
            }
            RunConfig c = config(method).withCalibration(new CalibrationSet("numbers", ids, 1, 48))
                    .withEvaluations(List.of(Evaluation.perplexity("numbers", ids, Position.TRANSFORMED, Position.FAKE_QUANT)));
            Parallel.setThreads(1);
            Result one = run(c);
            Parallel.setThreads(3);
            Result three = run(c);
            assertEquals(one.weights(), three.weights());
            assertEquals(one.perplexity(Position.FAKE_QUANT), three.perplexity(Position.FAKE_QUANT));
        } finally {
            model = sample;
            Parallel.setThreads(before);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"HQQ axis 0", "HQQ axis 1", "OsPlus", "SpQR", "SpQR at once", "AdaDim", "QUIK", "LlmInt8", "DGQ"})
    void quantized(String method) {
        sameOnAnyThreads(method);
        Result one = run(config(method));
        assertEquals(6 * 7, one.summary().layers().size());
        double after = one.perplexity(Position.FAKE_QUANT);
        System.out.printf("%-14s perplexity %.4f, unchanged %.4f%n", method, after, unchanged);
        assertTrue(after < 1.1 * unchanged, method + ": " + after + " after " + unchanged);
    }

    @ParameterizedTest
    @ValueSource(strings = {"Magnitude", "Magnitude 2:4", "Wanda", "Wanda 4:8", "ShortGPT"})
    void pruned(String method) {
        sameOnAnyThreads(method);
        Result one = run(config(method));
        double after = one.perplexity(Position.TRANSFORMED);
        System.out.printf("%-14s perplexity %.4f, unchanged %.4f%n", method, after, unchanged);
        assertTrue(after < 3 * unchanged, method + ": " + after + " after " + unchanged);
        assertEquals(method.equals("ShortGPT") ? 5 * 7 : 6 * 7, one.weights().size());
    }

    @Test
    void refusalsNameEveryLayer() {
        BadInput e = assertThrows(BadInput.class, () -> run(config("QUIK").withMethods(List.of(new io.llmc4j.engine.pipeline.MethodStep("QUIK",
                Map.of("fp_features", 256))))));
        assertTrue(e.getMessage().contains("model.layers.0.self_attn.q_proj") && e.getMessage().contains("36 layers"), e.getMessage());
        assertThrows(BadInput.class, () -> run(config("OsPlus").withMethods(List.of(new io.llmc4j.engine.pipeline.MethodStep("OsPlus", Map.of("true_sequential", true))))),
                "true_sequential without quant_out");
        assertThrows(BadInput.class, () -> run(config("Magnitude").withMethods(List.of(new io.llmc4j.engine.pipeline.MethodStep("Magnitude", Map.of("sparsity", 1.0))))));
        assertThrows(BadInput.class, () -> run(config("ShortGPT").withMethods(List.of(new io.llmc4j.engine.pipeline.MethodStep("ShortGPT", Map.of("n_prune_layers", 6))))));
    }
}
