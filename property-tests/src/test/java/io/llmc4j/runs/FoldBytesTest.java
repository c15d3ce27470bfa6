package io.llmc4j.runs;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.llmc4j.engine.calibrate.CalibrationSet;
import io.llmc4j.engine.evaluate.Evaluation;
import io.llmc4j.engine.evaluate.EvaluationResult;
import io.llmc4j.engine.evaluate.Position;
import io.llmc4j.engine.pipeline.BlockFold;
import io.llmc4j.engine.pipeline.LayerResult;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.pipeline.RunListener;
import io.llmc4j.engine.pipeline.SchemePlan;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.RangeRule;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.golden.GoldenModels;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A run's result does not depend on how much memory it may have: on how many samples flow together, or on where their states wait. */
class FoldBytesTest {

    private static final QuantScheme FOUR = QuantScheme.integer(4, false, Granularity.perGroup(64));
    private static final QuantScheme EIGHT = QuantScheme.integer(8, true, Granularity.PER_CHANNEL);
    private static final QuantScheme TOKENS = QuantScheme.integer(8, true, Granularity.PER_TOKEN);
    private static final QuantScheme STATIC = QuantScheme.integer(8, true, Granularity.PER_TENSOR).withStatic(true).withRange(new RangeRule.StaticMinMax());

    @TempDir
    static Path directory;
    private static Path model;

    @BeforeAll
    static void unpack() {
        model = GoldenModels.llama(directory);
    }

    static Stream<RunConfig> runs() {
        int[][] samples = new int[5][24];
        Random random = new Random(3);
        for (int[] s : samples) {
            Arrays.setAll(s, i -> random.nextInt(512));
        }
        List<Evaluation> evaluations = List.of(Evaluation.perplexity("random", samples, Position.PRETRAIN, Position.TRANSFORMED, Position.FAKE_QUANT));
        return Stream.of(
                RunConfig.of("Awq", Map.of("weight_clip", true, "trans_version", "v1"), SchemePlan.of(FOUR)),
                RunConfig.of("Awq", Map.of("weight_clip", true), SchemePlan.of(EIGHT, TOKENS)),
                RunConfig.of("GPTQ", Map.of("actorder", true), SchemePlan.of(FOUR)).withQuantOut(true),
                RunConfig.of("SmoothQuant", Map.of(), SchemePlan.of(EIGHT, STATIC)))
                .map(r -> r.withCalibration(new CalibrationSet("random", samples, -1, 24)).withEvaluations(evaluations));
    }

    /** Everything that a run gives, as bits. */
    private static Map<String, Integer> bits(RunConfig config) {
        Map<String, Integer> out = new TreeMap<>();
        RunListener listener = new RunListener() {
            @Override
            public void layerDone(LayerResult layer) {
                out.put(layer.fullName() + " fake", Arrays.hashCode(layer.fake().data()));
                out.put(layer.fullName() + " weight", Arrays.hashCode(layer.layer().weight().data()));
                layer.quantized().ifPresent(q -> out.put(layer.fullName() + " codes", Arrays.hashCode(q.codes()) * 31 + Arrays.hashCode(q.scales())));
                layer.inputScale().ifPresent(s -> out.put(layer.fullName() + " input scale", Float.floatToIntBits(s)));
            }

            @Override
            public void evaluationDone(EvaluationResult result) {
                out.put(result.position().label(), Double.hashCode(result.value()));
            }
        };
        try (HfModel source = HfModel.open(model)) {
            new BlockFold(source, config, List.of(), listener).run();
        }
        return out;
    }

    @ParameterizedTest
    @MethodSource("runs")
    void littleMemory(RunConfig config) {
        Map<String, Integer> expected = bits(config);
        assertEquals(expected, bits(config.withMemory(new RunConfig.Memory(0, 48))), "chunks of two samples, states in a file");
    }
}
