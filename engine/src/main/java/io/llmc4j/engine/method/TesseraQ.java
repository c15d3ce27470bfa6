package io.llmc4j.engine.method;

import io.llmc4j.engine.BadInput;
import java.util.ArrayList;
import java.util.List;

/**
 * TesseraQ (arXiv 2410.19103): block reconstruction learns for every weight whether it rounds up or down, and hardens the most decided ones
 * progressively; an output factor of each range may be learnt too.
 *
 * <p>Settings are LLMC's: {@code lr}, {@code scale_lr}, {@code iterations} (for each threshold), {@code batch_size}, {@code thresholds} (the share of weights that
 * stays soft), {@code optimize_scale}. A clip search before it is a stage of its own ({@code weight_clip}).
 */
final class TesseraQ implements Method {

    private static final List<Double> SHIPPED = List.of(0.75, 0.5, 0.375, 0.25, 0.125, 0.09, 0.06, 0.04, 0.02, 0.005);

    record Settings(double rate, double scaleRate, int iterations, int batch, List<Double> thresholds, boolean outputFactor) { }

    @Override
    public String name() {
        return "TesseraQ";
    }

    @Override
    public MethodInfo info() {
        return new MethodInfo("learns the rounding of every weight by block reconstruction, progressively", "arXiv 2410.19103", MethodInfo.Data.ALWAYS);
    }

    @Override
    public List<Stage> recipe(MethodOptions o) {
        double rate = o.number("lr", 5e-4);
        List<Double> thresholds = o.has("thresholds") ? o.numbers("thresholds") : SHIPPED;
        Settings s = new Settings(rate, o.number("scale_lr", rate), o.integer("iterations", 250), o.integer("batch_size", 2), thresholds,
                o.flag("optimize_scale", true));
        for (double t : thresholds) {
            if (!(t >= 0 && t <= 1)) {
                throw BadInput.of(BadInput.Common.CONFIG, "special.thresholds holds %s; shares between 0 and 1 are expected", t);
            }
        }
        if (s.iterations < 0 || s.batch < 1) {
            throw BadInput.of(BadInput.Common.CONFIG, "special.iterations is %d and special.batch_size %d; at least 0 and 1 are expected", s.iterations, s.batch);
        }
        List<Stage> stages = new ArrayList<>();
        stages.add(new TesseraQTraining(s));
        return stages;
    }
}
