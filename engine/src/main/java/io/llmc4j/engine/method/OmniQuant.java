package io.llmc4j.engine.method;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.method.training.FloatStream;
import io.llmc4j.engine.method.training.ObserveFloat;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.RangeRule;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * OmniQuant (arXiv 2308.13137): block by block, gradient descent finds clip factors of the weight ranges (LWC, equation 2) and equivalent scales and
 * shifts between layers (LET, equations 3 to 5) that bring the quantized block's output near the float block's.
 *
 * <p>Settings are LLMC's: {@code lwc}, {@code lwc_lr}, {@code let}, {@code let_lr}, {@code alpha}, {@code use_shift}, {@code epochs}, {@code wd}, {@code aug_loss},
 * {@code smooth_up_down}, {@code search_clip_init}, {@code search_scale_init}. Everything is float32 ({@code deactive_amp} has no effect).
 */
final class OmniQuant implements Method {

    /**
     * @param clipRate  learning rate of clip factors
     * @param scaleRate learning rate of scales and shifts
     * @param alpha     exponent of the first scales
     * @param searchClip clip factors start from a search, or from {@code clips} where an earlier run saved some
     * @param startScales where an earlier run saved scales to start from
     * @param augmented also the distance to the float block's output on the quantized stream
     */
    record Settings(boolean clip, double clipRate, boolean scales, double scaleRate, double alpha, boolean shift, int epochs, double decay, boolean augmented,
                    boolean upToDown, boolean searchClip, Optional<String> clips, Optional<String> startScales) { }

    @Override
    public String name() {
        return "OmniQuant";
    }

    @Override
    public MethodInfo info() {
        return new MethodInfo("learns clip factors and equivalent scales block by block", "arXiv 2308.13137", MethodInfo.Data.ALWAYS);
    }

    @Override
    public List<Stage> recipe(MethodOptions o) {
        Settings s = new Settings(o.flag("lwc", true), o.number("lwc_lr", 0.01), o.flag("let", false), o.number("let_lr", 0.005), o.number("alpha", 0.5),
                o.flag("use_shift", false), o.integer("epochs", 20), o.number("wd", 0), o.flag("aug_loss", false), o.flag("smooth_up_down", false),
                o.flag("search_clip_init", false), o.flag("load_clip", false) ? Optional.of(o.text("clip_path", "")) : Optional.empty(),
                o.flag("search_scale_init", false) ? Optional.of(o.text("scale_path", "")) : Optional.empty());
        List<String> wrong = new ArrayList<>();
        if (!s.clip && !s.scales && s.epochs > 0) {
            wrong.add("special.lwc and special.let are both false, so there is nothing to train; set one of them, or epochs: 0");
        }
        if (s.clip && o.schemes().weights().stream().anyMatch(w -> !(w.range() instanceof RangeRule.Learnable))) {
            wrong.add("special.lwc needs quant.weight.calib_algo: learnable");
        }
        if (!o.schemes().weights().stream().allMatch(QuantScheme::straightThrough)) {
            wrong.add("OmniQuant needs quant.weight.ste: true, or no gradient passes the rounding");
        }
        if (!wrong.isEmpty()) {
            throw new BadInput(BadInput.Common.CONFIG, String.join("; ", wrong));
        }
        FloatStream stream = new FloatStream("omniquant");
        return List.of(new ObserveFloat(stream), new OmniQuantTraining(s, stream));
    }
}
