package io.llmc4j.cli.config;

import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.RangeRule;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * {@code quant.special}: which settings each method takes, of which type, with which default and meaning. One table serves the reader, the error
 * messages and {@code llmc4j methods NAME}.
 */
public final class SpecialKeys {

    public enum Type { BOOLEAN, INTEGER, NUMBER, TEXT, NUMBERS, INTEGERS, SCHEME }

    /**
     * @param otherwise the default as text; "required" when there is none; empty when absent means "not set"
     * @param choices   allowed texts; empty: any
     */
    public record Setting(String name, Type type, String otherwise, List<String> choices, String meaning) {
        public boolean required() {
            return otherwise.equals("required");
        }
    }

    private static final Map<String, List<Setting>> TABLE = table();

    /** Keys in LLMC's files that nothing reads. */
    private static final Map<String, String> INERT = Map.of("quant_type", "quant.weight.quant_type chooses");

    private SpecialKeys() {
    }

    /** The method's own settings, after those that every method takes. */
    public static List<Setting> of(String method) {
        List<Setting> all = new ArrayList<>(TABLE.get(""));
        for (Setting s : TABLE.getOrDefault(method, List.of())) {
            all.removeIf(c -> c.name().equals(s.name()));
            all.add(s);
        }
        return all;
    }

    /** Only what is the method's own. */
    public static List<Setting> own(String method) {
        return TABLE.getOrDefault(method, List.of());
    }

    public static List<Setting> common() {
        return TABLE.get("");
    }

    private static Setting flag(String name, boolean otherwise, String meaning) {
        return new Setting(name, Type.BOOLEAN, otherwise ? "True" : "False", List.of(), meaning);
    }

    private static Setting number(String name, String otherwise, String meaning) {
        return new Setting(name, Type.NUMBER, otherwise, List.of(), meaning);
    }

    private static Setting integer(String name, String otherwise, String meaning) {
        return new Setting(name, Type.INTEGER, otherwise, List.of(), meaning);
    }

    private static Setting text(String name, String otherwise, String meaning, String... choices) {
        return new Setting(name, Type.TEXT, otherwise, List.of(choices), meaning);
    }

    private static Setting needed(Setting s) {
        return new Setting(s.name(), s.type(), "required", s.choices(), s.meaning());
    }

    private static Map<String, List<Setting>> table() {
        Map<String, List<Setting>> t = new LinkedHashMap<>();
        t.put("", List.of(
                flag("true_sequential", false, "after each subset of a block, the next subset's inputs come from the quantized layers before it"),
                flag("weight_clip", false, "search the share of each group's range that gives the least error of the layer's output"),
                flag("search_clip_init", false, "start learnt clip factors from that search"),
                text("clip_version", "v1", "v1 clamps the weight; v2 keeps factors of the range, which needs calib_algo learnable", "v1", "v2"),
                new Setting("clip_sym", Type.BOOLEAN, "as the weight", List.of(), "clip both ends of a range alike"),
                flag("save_scale", false, "write the folded scales to scale_path"),
                text("scale_path", "", "directory of saved scales"),
                flag("save_clip", false, "write the clip factors to clip_path"),
                text("clip_path", "", "directory of saved clip factors"),
                flag("online_rotate", false, "rotate the inputs of output and down projections at run time"),
                flag("fp32_had", false, "compute online rotations in float32"),
                flag("do_gqa_trans", false, "fold scales through grouped value heads")));
        t.put("RTN", List.of());
        t.put("SmoothQuant", List.of(number("alpha", "0.5", "how much of the activations' range goes into the weights")));
        t.put("OsPlus", List.of());
        t.put("Awq", List.of(flag("trans", true, "search scales; False only clips"),
                text("trans_version", "v2", "v2: scales from activations; v1: divided by the weights' statistic", "v1", "v2"),
                integer("awq_bs", "", "samples at once in the search; all of the first batch by default"),
                flag("save_mem", true, "search layer by layer")));
        t.put("GPTQ", List.of(needed(flag("actorder", false, "columns by falling diagonal of the Hessian")),
                needed(flag("static_groups", false, "group scales from the weight before the first column is rounded")),
                needed(number("percdamp", "0.01", "damping, as a share of the Hessian's mean diagonal")),
                needed(integer("blocksize", "128", "columns whose updates are gathered")),
                needed(flag("true_sequential", true, "after each subset of a block, the next subset's inputs come from the quantized layers before it")),
                flag("owq", false, "keep the most sensitive columns in float"),
                new Setting("n_outs", Type.INTEGERS, "", List.of(), "with owq: columns kept, one number for each linear layer of a block or one for all"),
                text("factor_precision", "float64", "arithmetic of the Hessian's factorisation; LLMC's is float32", "float64", "float32"),
                integer("chunk_num", "1", "parts in which inputs are added to the Hessian")));
        t.put("OWQ", t.get("GPTQ"));
        t.put("SpQR", List.of(needed(flag("actorder", false, "columns by falling diagonal of the Hessian")),
                needed(number("percdamp", "1", "damping, as a share of the Hessian's mean diagonal")),
                needed(integer("blocksize", "128", "columns whose updates are gathered")),
                needed(flag("true_sequential", true, "after each subset of a block, the next subset's inputs come from the quantized layers before it")),
                needed(number("relative_threshold", "0.2", "share of the layer's error from which a weight is an outlier; inf: none")),
                needed(flag("simplified_outliers", false, "outliers by the weight's own error instead of leaving one out")),
                new Setting("scale", Type.SCHEME, "required", List.of(), "second-level quantizer of the scales"),
                new Setting("zero", Type.SCHEME, "required", List.of(), "second-level quantizer of the zero points"),
                flag("bilevel_rows", false, "the second level groups consecutive rows, as in the paper; False: each row alone, as in LLMC, which changes nothing")));
        List<Setting> learning = List.of(flag("deactive_amp", false, "LLMC: no mixed precision; ours is always float32"),
                number("wd", "0", "weight decay"));
        List<Setting> omni = new ArrayList<>(List.of(needed(learning.get(0)), needed(learning.get(1)),
                needed(integer("epochs", "20", "passes over the calibration data for each block")),
                needed(flag("aug_loss", false, "add the loss against the output for quantized inputs")),
                needed(flag("lwc", true, "learn clip factors")), needed(flag("let", false, "learn scales (and shifts)")),
                number("lwc_lr", "0.01", "learning rate of clip factors"), number("let_lr", "0.005", "learning rate of scales"),
                flag("use_shift", false, "learn shifts too"), number("alpha", "0.5", "SmoothQuant exponent that scales start from"),
                flag("load_clip", false, "start from the clip factors in clip_path"),
                flag("search_scale_init", false, "start from the scales in scale_path"),
                flag("smooth_up_down", false, "learn scales between up and down projections")));
        t.put("OmniQuant", List.copyOf(omni));
        t.put("TesseraQ", List.of(needed(number("lr", "0.0005", "learning rate of the rounding")),
                integer("iterations", "250", "steps between two hardenings"), number("wd", "", "weight decay"), integer("batch_size", "2", "samples a step"),
                learning.get(0), flag("aug_loss", false, "add the loss against the output for quantized inputs"),
                flag("optimize_scale", true, "learn the dequantization scales"), number("scale_lr", "", "their learning rate"),
                new Setting("thresholds", Type.NUMBERS, "0.75 … 0.005, as LLMC's file", List.of(), "share of weights still soft after each hardening"),
                flag("load_transform", false, "fold the scales in scale_path first"), flag("reduce_memory", false, "keep less in memory, with the same result")));
        t.put("HQQ", List.of(needed(integer("axis", "0", "0: groups along the output features; 1: along the input features")), needed(number("lp_norm", "0.7", "p of the norm")),
                needed(number("beta", "10", "weight of the proximal term")), needed(number("kappa", "1.01", "its growth")),
                needed(integer("iters", "20", "iterations"))));
        t.put("DGQ", List.of());
        t.put("QUIK", List.of(needed(flag("fp_relative", false, "outlier columns in proportion to the layer's width")),
                needed(integer("fp_features", "256", "columns kept in float")), needed(number("fp_threshold", "0", "layers with smaller activations keep none")),
                integer("last_fc_bit", "", "bits of the down projection")));
        t.put("LlmInt8", List.of(needed(number("threshold", "6.0", "columns whose largest activation reaches it stay in float")),
                flag("refresh_weight", false, "split the weight anew for every input, as the paper does; False: by the first input, as LLMC does")));
        t.put("NormTweaking", List.of(needed(learning.get(0)), needed(integer("epochs", "50", "passes over the calibration data for each block")),
                needed(number("ntweak_lr", "1e-6", "learning rate of the norm weights")), needed(number("gamma", "0.001", "growth of the rate with depth"))));
        t.put("AdaDim", List.of());
        t.put("Quarot", List.of(text("rotate_mode", "hadamard", "the rotation of the residual stream", "hadamard", "random"),
                text("rotation_path", "", "a safetensors file whose tensor Q [hidden, hidden] is used instead of a drawn rotation"),
                new Setting("keep_embedding_mean", Type.BOOLEAN, "true, false under compat: llmc", List.of(),
                        "LLMC removes the mean of every embedding row, which changes models with RMS norms")));
        t.put("SpinQuant", List.of(number("lr", "1.5", "learning rate of Cayley descent"), integer("steps", "100", "its steps"),
                text("rotate_mode", "hadamard", "where it starts", "hadamard", "random")));
        return t;
    }

    /** Reads {@code special} for these methods; what is absent is not in the map. */
    static Map<String, Object> read(Section quant, List<String> methods, Optional<QuantScheme> weight) {
        Map<String, Object> out = new LinkedHashMap<>();
        Map<String, Setting> settings = new LinkedHashMap<>();
        for (String method : methods.isEmpty() ? List.of("RTN") : methods) {
            of(method).forEach(s -> settings.merge(s.name(), s, (a, b) -> a.required() ? a : b));
        }
        Optional<Section> section = quant.section("special");
        if (section.isEmpty()) {
            if (!quant.has("special")) {
                settings.values().stream().filter(Setting::required).forEach(s -> quant.problems().error(quant.mark(),
                        "%s is missing (%s)", quant.name("special." + s.name()), s.meaning()));
            }
            return out;
        }
        Section s = section.get();
        for (Setting setting : settings.values()) {
            if (setting.required()) {
                s.require(setting.name());
            }
            value(s, setting).ifPresent(v -> out.put(setting.name(), v));
        }
        INERT.forEach(s::inert);
        s.done(key -> owners(key).isEmpty() ? Optional.empty() : Optional.of("key '" + key + "' in " + s.path() + " belongs to "
                + String.join(", ", owners(key)) + "; " + String.join(" and ", methods) + (methods.size() > 1 ? " do" : " does") + " not read it"));
        together(s, out, weight);
        return out;
    }

    private static Set<String> owners(String key) {
        Set<String> names = new LinkedHashSet<>();
        TABLE.forEach((method, list) -> {
            if (list.stream().anyMatch(x -> x.name().equals(key))) {
                names.add(method);
            }
        });
        return names;
    }

    private static Optional<Object> value(Section s, Setting setting) {
        String key = setting.name();
        return switch (setting.type()) {
            case BOOLEAN -> s.bool(key).map(v -> v);
            case INTEGER -> s.integer(key).map(v -> v);
            case NUMBER -> s.number(key).map(v -> v);
            case TEXT -> setting.choices().isEmpty() ? s.text(key).map(v -> v) : s.choice(key, setting.choices()).map(v -> v);
            case NUMBERS -> s.numbers(key).map(v -> v);
            case INTEGERS -> s.numbers(key).map(v -> v.stream().map(Double::intValue).toList());
            case SCHEME -> s.section(key).flatMap(x -> {
                Optional<QuantScheme> scheme = SchemeReader.read(x, SchemeReader.Use.SECOND_LEVEL);
                x.done();
                return scheme;
            });
        };
    }

    private static void together(Section s, Map<String, Object> out, Optional<QuantScheme> weight) {
        for (String what : List.of("scale", "clip")) {
            if (Boolean.TRUE.equals(out.get("save_" + what)) && !out.containsKey(what + "_path")) {
                s.problems().error(s.mark("save_" + what), "%s needs %s", s.name("save_" + what), s.name(what + "_path"));
            }
        }
        if ("v2".equals(out.get("clip_version")) && Boolean.TRUE.equals(out.get("weight_clip")) && weight.isPresent()
                && !(weight.get().range() instanceof RangeRule.Learnable)) {
            s.problems().error(s.mark("clip_version"), "%s v2 needs quant.weight.calib_algo: learnable", s.name("clip_version"));
        }
        if (Boolean.TRUE.equals(out.get("owq")) && !out.containsKey("n_outs")) {
            s.problems().error(s.mark("owq"), "%s needs %s: columns kept, one number for each linear layer of a block or one for all", s.name("owq"), s.name("n_outs"));
        }
    }
}
