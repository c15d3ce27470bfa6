package io.llmc4j.runs;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.calibrate.CalibrationSet;
import io.llmc4j.engine.evaluate.Evaluation;
import io.llmc4j.engine.evaluate.Position;
import io.llmc4j.engine.pipeline.BlockFold;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.pipeline.RunListener;
import io.llmc4j.engine.pipeline.SchemePlan;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.formats.data.EvaluationText;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.formats.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What the methods are for: at few bits they must beat rounding to nearest on a real small model and held-out text. */
class MethodQualityTest {

    private static final Path SAMPLES = Path.of(System.getProperty("llmc4j.root", ".."), "cli", "samples");
    private static final int CALIBRATION_LENGTH = 128;
    private static final int EVALUATION_LENGTH = 256;

    @Test
    void fewBits() throws IOException {
        // A few samples from all over the text say more than its beginning.
        int[][] calibration = windows("calibration.txt", CALIBRATION_LENGTH, 8, true);
        int[][] evaluation = windows("evaluation.txt", EVALUATION_LENGTH, 24, false);
        double[][] value = new double[2][3];
        int[] bits = {3, 2};
        for (int b = 0; b < bits.length; b++) {
            SchemePlan plan = SchemePlan.of(QuantScheme.integer(bits[b], false, Granularity.perGroup(128)));
            value[b][0] = perplexity(RunConfig.of("RTN", Map.of(), plan), calibration, evaluation);
            value[b][1] = perplexity(RunConfig.of("Awq", Map.of("weight_clip", true, "clip_sym", false), plan), calibration, evaluation);
            value[b][2] = perplexity(RunConfig.of("GPTQ", Map.of("actorder", true), plan).withQuantOut(true), calibration, evaluation);
            System.out.printf(Locale.ROOT, "tiny-llama-en, %d bits, groups of 128: RTN %.3f  AWQ %.3f  GPTQ %.3f%n", bits[b], value[b][0], value[b][1], value[b][2]);
        }
        assertAll(
                () -> assertTrue(value[0][1] < value[0][0], "AWQ at 3 bits"), () -> assertTrue(value[0][2] < value[0][0], "GPTQ at 3 bits"),
                () -> assertTrue(value[1][1] < value[1][0], "AWQ at 2 bits"), () -> assertTrue(value[1][2] < value[1][0], "GPTQ at 2 bits"),
                () -> assertTrue(value[0][2] < value[1][2], "fewer bits, worse"));
    }

    private static double perplexity(RunConfig config, int[][] calibration, int[][] evaluation) {
        RunConfig run = config.withCalibration(new CalibrationSet("calibration.txt", calibration, -1, CALIBRATION_LENGTH))
                .withEvaluations(List.of(Evaluation.perplexity("evaluation.txt", evaluation, Position.FAKE_QUANT)));
        try (HfModel model = HfModel.open(SAMPLES.resolve("tiny-llama-en"))) {
            return new BlockFold(model, run, List.of(), RunListener.NONE).run().evaluations().getFirst().value();
        }
    }

    private static int[][] windows(String file, int length, int count, boolean spread) throws IOException {
        try (Tokenizer tokenizer = Tokenizer.open(SAMPLES.resolve("tiny-llama-en"))) {
            int[] ids = EvaluationText.PLAIN.tokens(List.of(Files.readString(SAMPLES.resolve(file))), tokenizer, length);
            int[][] all = Evaluation.windows(ids, length);
            int[][] out = new int[count][];
            Arrays.setAll(out, i -> all[spread ? i * all.length / count : i]);
            return out;
        }
    }
}
