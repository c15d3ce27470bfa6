package io.llmc4j.cli.config;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.RangeRule;
import io.llmc4j.engine.quant.ScaleFormat;
import java.util.List;
import java.util.Optional;

/** {@code quant.weight}, {@code quant.act}, {@code quant.kvcache} and the like to a {@link QuantScheme}. */
final class SchemeReader {

    enum Use { WEIGHT, ACTIVATION, KV_CACHE, SECOND_LEVEL }

    private static final List<String> WEIGHT_RANGES = List.of("minmax", "mse", "learnable", "hqq");
    /** A scaled format has no zero point to search. */
    private static final List<String> SCALED_RANGES = List.of("minmax", "mse", "learnable");
    private static final List<String> DYNAMIC_RANGES = List.of("minmax", "mse");
    private static final List<String> STATIC_RANGES = List.of("static_minmax", "static_moving_minmax", "static_hist");
    private static final List<String> WEIGHT_LAYOUTS = List.of("per_tensor", "per_channel", "per_group", "per_head", "per_block");
    private static final List<String> ACTIVATION_LAYOUTS = List.of("per_token", "per_tensor", "per_group", "per_head");
    private static final List<String> KV_LAYOUTS = List.of("per_token", "per_tensor", "per_group", "per_channel");

    private final Section s;
    private final Use use;
    private final Problems problems;

    private SchemeReader(Section s, Use use) {
        this.s = s;
        this.use = use;
        this.problems = s.problems();
    }

    /** Reads the numeric keys of the section; empty when something is wrong, which is then in the problems. */
    static Optional<QuantScheme> read(Section s, Use use) {
        return new SchemeReader(s, use).scheme();
    }

    private Optional<QuantScheme> scheme() {
        Optional<String> bit = s.requiredText("bit");
        if (bit.isPresent() && bit.get().equals("48")) {
            return use == Use.WEIGHT ? twoLevel() : nothing("bit", "bit 48 (4-bit codes over 8-bit codes) is for weights only");
        }
        Optional<QuantScheme> scaled = bit.flatMap(ScaledFormats::named);
        if (scaled.isPresent()) {
            return scaled(bit.get(), scaled.get());
        }
        String type = s.choice("quant_type", List.of("int-quant", "float-quant")).orElse("int-quant");
        boolean isFloat = bit.isPresent() && bit.get().startsWith("e");
        if (bit.isPresent() && isFloat != type.equals("float-quant") && s.has("quant_type")) {
            return nothing("quant_type", s.name("bit") + " " + bit.get() + " belongs to " + (isFloat ? "float-quant" : "int-quant") + ", found " + type);
        }
        if (isFloat && !s.has("quant_type")) {
            return nothing("bit", s.name("bit") + " " + bit.get() + " needs quant_type: float-quant beside it");
        }
        Optional<Boolean> symmetric = s.bool("symmetric");
        s.require("symmetric");
        Optional<Granularity> granularity = granularity();
        Optional<NumberFormat> format = bit.flatMap(b -> isFloat ? floating(b) : integer(b, symmetric.orElse(true)));
        RangeRule range = range();
        boolean roundZero = s.bool("round_zp", true);
        boolean ste = s.bool("ste", false);
        boolean steAll = s.bool("ste_all", false);
        s.inert("qmax_to_tensor", "an old option of LLMC");
        boolean isStatic = use == Use.ACTIVATION && s.bool("static", false);
        if (format.isEmpty() || granularity.isEmpty() || symmetric.isEmpty()) {
            return Optional.empty();
        }
        if (isFloat && !symmetric.get()) {
            problems.notice(s.mark("symmetric"), "%s is False and read as True: float formats are symmetric", s.name("symmetric"));
        }
        return Optional.of(new QuantScheme(format.get(), isFloat || symmetric.get(), granularity.get(), range, roundZero, ScaleFormat.FLOAT,
                ste || steAll, steAll, isStatic));
    }

    /** The name says all but the search for ranges; what is written beside it has to say the same. */
    private Optional<QuantScheme> scaled(String bit, QuantScheme scheme) {
        if (use == Use.KV_CACHE || use == Use.SECOND_LEVEL) {
            return nothing("bit", s.name("bit") + " " + bit + " is for weights and inputs of layers");
        }
        int group = scheme.granularity().size();
        agree("quant_type", s.text("quant_type", "float-quant").equals("float-quant"), "float-quant", bit);
        agree("symmetric", s.bool("symmetric", true), "True", bit);
        agree("granularity", s.text("granularity", "per_group").equals("per_group"), "per_group", bit);
        agree("group_size", s.integer("group_size").orElse(group) == group, "" + group, bit);
        agree("static", !s.bool("static", false), "False", bit);
        agree("round_zp", s.bool("round_zp", true), "True", bit);
        boolean ste = s.bool("ste", false);
        boolean all = s.bool("ste_all", false);
        return Optional.of(scheme.withRange(range(use == Use.WEIGHT ? SCALED_RANGES : DYNAMIC_RANGES)).withGradients(ste || all, all));
    }

    private void agree(String key, boolean holds, String wanted, String bit) {
        if (!holds) {
            problems.error(s.mark(key), "%s has to be %s with bit: %s, or left out", s.name(key), wanted, bit);
        }
    }

    private Optional<QuantScheme> nothing(String key, String sentence) {
        problems.error(s.mark(key), "%s", sentence);
        // Everything else of the section is read, so that it is not reported as unknown.
        for (String k : List.of("symmetric", "granularity", "group_size", "head_num", "block_size", "calib_algo", "static", "round_zp", "ste", "ste_all",
                "use_qtorch", "float_range", "int_range", "mse_b_num", "maxshrink", "mse_grid", "bins", "lp_norm", "beta", "kappa", "iters", "bit4", "bit8",
                "qmax_to_tensor", "quant_type")) {
            s.has(k);
        }
        return Optional.empty();
    }

    private Optional<Granularity> granularity() {
        List<String> allowed = switch (use) {
            case WEIGHT, SECOND_LEVEL -> WEIGHT_LAYOUTS;
            case ACTIVATION -> ACTIVATION_LAYOUTS;
            case KV_CACHE -> KV_LAYOUTS;
        };
        s.require("granularity");
        Optional<String> kind = s.choice("granularity", allowed);
        Optional<Integer> group = s.integer("group_size");
        Optional<Integer> heads = s.integer("head_num");
        Optional<Integer> edge = s.integer("block_size");
        if (kind.isEmpty()) {
            return Optional.empty();
        }
        return switch (kind.get()) {
            case "per_tensor" -> Optional.of(Granularity.PER_TENSOR);
            case "per_channel" -> Optional.of(Granularity.PER_CHANNEL);
            case "per_token" -> Optional.of(Granularity.PER_TOKEN);
            case "per_group" -> sized("group_size", group, kind.get()).map(Granularity::perGroup);
            case "per_head" -> sized("head_num", heads, kind.get()).map(Granularity::perHead);
            default -> sized("block_size", edge, kind.get()).map(Granularity::perBlock);
        };
    }

    private Optional<Integer> sized(String key, Optional<Integer> size, String kind) {
        if (size.isEmpty() && !s.has(key)) {
            problems.error(s.mark("granularity"), "%s %s needs %s", s.name("granularity"), kind, s.name(key));
        }
        if (size.isPresent() && size.get() <= 0) {
            problems.error(s.mark(key), "%s is %d; %s needs one above 0", s.name(key), size.get(), kind);
            return Optional.empty();
        }
        return size;
    }

    private Optional<NumberFormat> integer(String bit, boolean symmetric) {
        for (String k : List.of("use_qtorch", "float_range")) {
            if (s.has(k)) {
                problems.error(s.mark(k), "%s belongs to float-quant", s.name(k));
            }
        }
        Optional<Integer> bits = s.integer("bit");
        if (bits.isEmpty()) {
            return Optional.empty();
        }
        if (bits.get() < 1 || bits.get() > 16) {
            problems.error(s.mark("bit"), "%s is %d; it can be 1 to 16, 48, a float format such as e4m3, or nvfp4, mxfp4, mxfp6_e2m3, mxfp6_e3m2, mxfp8", s.name("bit"), bits.get());
            return Optional.empty();
        }
        Optional<List<Double>> range = pair("int_range");
        if (range.isPresent()) {
            double lo = range.get().get(0);
            double hi = range.get().get(1);
            if (lo != Math.rint(lo) || hi != Math.rint(hi) || Math.abs(lo) > 1 << 16 || Math.abs(hi) > 1 << 16) {
                problems.error(s.mark("int_range"), "%s has to be two integers", s.name("int_range"));
                return Optional.empty();
            }
            if (hi - lo + 1 > 1 << bits.get()) {
                problems.error(s.mark("int_range"), "%s [%d, %d] has %d levels; %d bits have %d", s.name("int_range"), (int) lo, (int) hi, (int) (hi - lo + 1),
                        bits.get(), 1 << bits.get());
                return Optional.empty();
            }
            return Optional.of(new NumberFormat.Int(bits.get(), (int) lo, (int) hi));
        }
        return Optional.of(NumberFormat.Int.of(bits.get(), symmetric));
    }

    private Optional<List<Double>> pair(String key) {
        Optional<List<Double>> p = s.numbers(key);
        if (p.isPresent() && (p.get().size() != 2 || !(p.get().get(0) < p.get().get(1)))) {
            problems.error(s.mark(key), "%s has to be [smallest, largest]", s.name(key));
            return Optional.empty();
        }
        return p;
    }

    private Optional<NumberFormat> floating(String bit) {
        boolean emulated = s.bool("use_qtorch", false);
        if (s.has("int_range")) {
            problems.error(s.mark("int_range"), "%s belongs to int-quant", s.name("int_range"));
        }
        Optional<List<Double>> range = pair("float_range");
        try {
            NumberFormat.Float f = NumberFormat.Float.of(bit, emulated ? NumberFormat.Float.Path.EMULATED : NumberFormat.Float.Path.ADAPTIVE);
            if (range.isPresent()) {
                if (!emulated || range.get().get(0) != -range.get().get(1)) {
                    problems.error(s.mark("float_range"), "%s is taken with use_qtorch: True, and has to be [-x, x]", s.name("float_range"));
                    return Optional.empty();
                }
                f = new NumberFormat.Float(f.exponent(), f.mantissa(), f.path(), range.get().get(1).floatValue());
            }
            return Optional.of(f);
        } catch (BadInput e) {
            problems.error(s.mark("bit"), "%s: %s", s.name("bit"), e.getMessage());
            return Optional.empty();
        }
    }

    private RangeRule range() {
        boolean isStatic = use == Use.ACTIVATION && s.bool("static", false);
        return range(switch (use) {
            case WEIGHT, SECOND_LEVEL -> WEIGHT_RANGES;
            case ACTIVATION -> isStatic ? STATIC_RANGES : DYNAMIC_RANGES;
            case KV_CACHE -> DYNAMIC_RANGES;
        });
    }

    private RangeRule range(List<String> allowed) {
        boolean isStatic = use == Use.ACTIVATION && s.bool("static", false);
        RangeRule.Mse mse = new RangeRule.Mse(s.integer("mse_b_num", 1, 1 << 20).orElse(1), s.number("maxshrink").orElse(0.8),
                s.integer("mse_grid", 1, 100_000).orElse(100), true);
        RangeRule.Hqq hqq = new RangeRule.Hqq(s.number("lp_norm").orElse(0.7), s.number("beta").orElse(10.0), s.number("kappa").orElse(1.01),
                s.integer("iters", 1, 100_000).orElse(20), true);
        int bins = s.integer("bins", 2, 1 << 20).orElse(2048);
        if (isStatic && s.text("calib_algo", "minmax").equals("minmax")) {
            if (s.has("calib_algo")) {
                problems.notice(s.mark("calib_algo"), "%s minmax with static: True is read as static_minmax", s.name("calib_algo"));
            }
            return new RangeRule.StaticMinMax();
        }
        return switch (s.choice("calib_algo", allowed).orElse("minmax")) {
            case "mse" -> mse;
            case "learnable" -> new RangeRule.Learnable();
            case "hqq" -> hqq;
            case "static_minmax" -> new RangeRule.StaticMinMax();
            case "static_moving_minmax" -> new RangeRule.StaticMovingMinMax();
            case "static_hist" -> new RangeRule.StaticHistogram(bins);
            default -> new RangeRule.MinMax();
        };
    }

    private Optional<QuantScheme> twoLevel() {
        s.inert("quant_type", "bit 48 says it");
        for (String k : List.of("symmetric", "granularity", "group_size", "calib_algo")) {
            s.inert(k, "bit4 and bit8 have their own");
        }
        s.require("bit4");
        s.require("bit8");
        Optional<Section> four = s.section("bit4");
        Optional<Section> eight = s.section("bit8");
        Optional<QuantScheme> outer = eight.flatMap(e -> level(e, 8));
        Optional<QuantScheme> inner = four.flatMap(f -> level(f, 4));
        NumberFormat.SecondLevel limits = four.map(this::limits).orElse(new NumberFormat.SecondLevel(0, Float.POSITIVE_INFINITY, 0, 15));
        four.ifPresent(Section::done);
        eight.ifPresent(e -> {
            for (String k : List.of("scales_bit", "scales_symmetric", "zeros_bit", "zeros_symmetric")) {
                e.inert(k, "the first level keeps its scales in float");
            }
            e.done();
        });
        if (outer.isEmpty() || inner.isEmpty()) {
            return Optional.empty();
        }
        return Optional.of(outer.get().withFormat(new NumberFormat.Int4OverInt8(outer.get(), inner.get(), limits)));
    }

    private Optional<QuantScheme> level(Section section, int bits) {
        SchemeReader r = new SchemeReader(section, Use.SECOND_LEVEL);
        section.inert("bit", "the key's name says it");
        section.require("symmetric");
        Optional<Boolean> symmetric = section.bool("symmetric");
        Optional<Granularity> granularity = r.granularity();
        if (symmetric.isEmpty() || granularity.isEmpty()) {
            return Optional.empty();
        }
        NumberFormat format = NumberFormat.Int.of(bits, symmetric.get());
        Optional<List<Double>> range = r.pair("int_range");
        if (range.isPresent()) {
            format = new NumberFormat.Int(bits, range.get().get(0).intValue(), range.get().get(1).intValue());
        }
        return Optional.of(QuantScheme.integer(bits, symmetric.get(), granularity.get()).withFormat(format));
    }

    /** Without scales_bit the scales are not limited, without zeros_bit the zero points have the codes' range; LLMC uses scales_bit for both. */
    private NumberFormat.SecondLevel limits(Section four) {
        float scaleMin = Float.NEGATIVE_INFINITY;
        float scaleMax = Float.POSITIVE_INFINITY;
        float zeroMin = 0;
        float zeroMax = 15;
        Optional<Integer> scales = four.integer("scales_bit", 1, 16);
        boolean scalesSymmetric = four.bool("scales_symmetric", true);
        Optional<Integer> zeros = four.integer("zeros_bit", 1, 16);
        boolean zerosSymmetric = four.bool("zeros_symmetric", true);
        if (scales.isPresent()) {
            NumberFormat.Int r = NumberFormat.Int.of(scales.get(), scalesSymmetric);
            scaleMin = r.qmin();
            scaleMax = r.qmax();
        }
        if (zeros.isPresent()) {
            NumberFormat.Int r = NumberFormat.Int.of(zeros.get(), zerosSymmetric);
            zeroMin = r.qmin();
            zeroMax = r.qmax();
        }
        return new NumberFormat.SecondLevel(scaleMin, scaleMax, zeroMin, zeroMax);
    }
}
