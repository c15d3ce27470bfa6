package io.llmc4j.engine.method;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.method.training.FloatStream;
import io.llmc4j.engine.method.training.ObserveFloat;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * TesseraQ (arXiv 2410.19103): block reconstruction learns for every weight whether it rounds up or down, and hardens the most decided ones
 * progressively; an output factor of each range may be learnt too.
 *
 * <p>Settings are LLMC's: {@code lr}, {@code scale_lr}, {@code iterations} (for each threshold), {@code batch_size}, {@code thresholds} (the share of weights that
 * stays soft), {@code optimize_scale}, {@code weight_clip} with {@code clip_version} v1 (search) or v2 ({@code clip_path}), {@code load_transform} with
 * {@code scale_path}.
 */
final class TesseraQ implements Method {

    private static final List<Double> SHIPPED = List.of(0.75, 0.5, 0.375, 0.25, 0.125, 0.09, 0.06, 0.04, 0.02, 0.005);

    /** Tokens of its clip search. */
    private static final int CLIP_TOKENS = 512;

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
        FloatStream stream = new FloatStream("tesseraq");
        List<Stage> stages = new ArrayList<>(List.of(new ObserveFloat(stream)));
        if (o.flag("load_transform", false)) {
            stages.add(new SavedScales(o.text("scale_path", "")));
        }
        Optional<String> clips = Optional.empty();
        if (o.flag("weight_clip", false)) {
            if (o.choice("clip_version", "v1", "v2").equals("v1")) {
                stages.add(new AutoClip(false, o.has("clip_sym") ? Optional.of(o.flag("clip_sym", false)) : Optional.empty(), false, CLIP_TOKENS));
            } else {
                clips = Optional.of(o.text("clip_path", ""));
            }
        }
        stages.add(new TesseraQTraining(s, stream, clips));
        return stages;
    }
}
