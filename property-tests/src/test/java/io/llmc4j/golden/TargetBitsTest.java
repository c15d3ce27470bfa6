package io.llmc4j.golden;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.evaluate.Position;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.pipeline.RunListener;
import io.llmc4j.engine.pipeline.RunSummary;
import io.llmc4j.engine.pipeline.SchemePlan;
import io.llmc4j.engine.pipeline.TargetBits;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.formats.hf.HfModel;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Widths chosen by sensitivity on the golden Llama: the budget holds in what is stored, and the bits lie where they help. */
class TargetBitsTest {

    private static final QuantScheme THREE = QuantScheme.integer(3, false, Granularity.perGroup(64));

    private static RunConfig calibrated() {
        RunConfig[] config = new RunConfig[1];
        GoldenMethods.run("llama_g", "wanda50", c -> {
            config[0] = c;
            return c.withEvaluations(List.of());
        });
        return RunConfig.of("RTN", Map.of(), SchemePlan.of(THREE)).withCalibration(config[0].calibration().orElseThrow());
    }

    private static TargetBits.Choice choose(double target) {
        try (HfModel model = HfModel.open(GoldenMethods.directory("llama_g"))) {
            return TargetBits.choose(model, calibrated(), TargetBits.WIDTHS, target, RunListener.NONE);
        }
    }

    private static GoldenMethods.Outcome run(SchemePlan plan) {
        return GoldenMethods.run("llama_g", "rtn_w3_g", c -> RunConfig.of("RTN", Map.of(), plan).withEvaluations(c.evaluations()));
    }

    @Test
    void sameBitsBetterModel() {
        double uniform = 3 + 19.0 / 64;
        TargetBits.Choice choice = choose(uniform);
        assertTrue(choice.averageBits() <= uniform && choice.averageBits() > uniform - 0.15, "average " + choice.averageBits());
        GoldenMethods.Outcome chosen = run(choice.schemes());
        double bits = 0;
        long weights = 0;
        for (RunSummary.LayerRow r : chosen.summary().layers()) {
            bits += r.bits() * r.out() * r.in();
            weights += (long) r.out() * r.in();
        }
        assertEquals(choice.averageBits(), bits / weights, 1e-9, "what the run stores");
        for (TargetBits.Row row : choice.rows()) {
            for (String layer : row.layers()) {
                assertEquals(row.width(), chosen.layers().get(layer).weightScheme().orElseThrow().bits(), layer);
            }
            double[] errors = row.errors().values().stream().mapToDouble(Double::doubleValue).toArray();
            assertTrue(errors[0] > errors[errors.length - 1], row + ": more bits, less error");
        }
        double before = run(SchemePlan.of(THREE)).perplexity(Position.FAKE_QUANT);
        double after = chosen.perplexity(Position.FAKE_QUANT);
        double unchanged = chosen.perplexity(Position.TRANSFORMED);
        System.out.printf("target bits %.3f: perplexity %.4f, uniform %.4f, unchanged %.4f%n", uniform, after, before, unchanged);
        assertTrue(Math.abs(after - unchanged) < Math.abs(before - unchanged));
    }

    @Test
    void anImpossibleTargetSaysWhatIsPossible() {
        BadInput e = assertThrows(BadInput.class, () -> choose(2));
        assertTrue(e.getMessage().contains("2.281"), e.getMessage());
    }
}
