package io.llmc4j.cli.config;

import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.RangeRule;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** {@code quant}: methods, schemes, the methods' own settings. */
final class QuantReader {

    private QuantReader() {
    }

    static Optional<LlmcConfig.Quant> read(Section outer) {
        Section s = outer;
        boolean other = false;
        for (String modality : List.of("vision", "video_gen")) {
            if (s.has(modality)) {
                s.problems().error(s.mark(modality), "%s: %s models are not here; only the language part of a model can be compressed", s.name(modality),
                        modality.equals("vision") ? "vision" : "video generation");
                other = true;
            }
        }
        if (s.has("language") || other) {
            Optional<Section> language = s.section("language");
            s.done();
            if (language.isEmpty()) {
                return Optional.empty();
            }
            s = language.get();
        }
        return flat(s);
    }

    private static Optional<LlmcConfig.Quant> flat(Section s) {
        Problems problems = s.problems();
        List<LlmcConfig.Named> methods = methods(s);
        s.require("weight");
        Optional<Section> weight = s.section("weight");
        Optional<QuantScheme> weightScheme;
        LlmcConfig.Packing packing = new LlmcConfig.Packing(false, "");
        boolean twoStage = weight.isPresent() && weight.get().has("w_1");
        if (twoStage) {
            weightScheme = twoStage(weight.get());
            weight.get().done();
        } else {
            weightScheme = weight.flatMap(w -> SchemeReader.read(w, SchemeReader.Use.WEIGHT));
            packing = weight.map(QuantReader::packing).orElse(packing);
            weight.ifPresent(Section::done);
        }
        Optional<Section> act = s.section("act");
        Optional<QuantScheme> actScheme = act.flatMap(a -> SchemeReader.read(a, SchemeReader.Use.ACTIVATION));
        Optional<LlmcConfig.ActivationSites> sites = act.map(QuantReader::sites);
        act.ifPresent(Section::done);
        Optional<LlmcConfig.KvCache> kv = s.section("kvcache").flatMap(k -> kvCache(k, actScheme));
        boolean quantOut = s.bool("quant_out", false);
        s.inert("tp", "no quantizer reads it");
        s.inert("quant_objects", "an old way to choose parts of a model");
        s.inert("quant_type", "quant.weight.quant_type and quant.act.quant_type choose");
        s.inert("modality", "only the language part is here");
        s.refuse("token_reduction", "reduces image tokens, which text models do not have");
        List<LlmcConfig.MixedBits> mixed = s.section("mix_bits").map(QuantReader::mixedBits).orElse(List.of());
        Optional<LlmcConfig.BitTarget> target = target(s);
        if (target.isPresent() && s.has("mix_bits")) {
            problems.error(s.mark("target_bits"), "%s and %s both say how many bits a layer gets; use one of them", s.name("target_bits"), s.name("mix_bits"));
        }
        Map<String, Object> special = SpecialKeys.read(s, methods.stream().map(LlmcConfig.Named::name).toList(), weightScheme);
        s.done();
        checks(s, weightScheme, weight, actScheme, act);
        if (weightScheme.isEmpty() || methods.isEmpty() || act.isPresent() && actScheme.isEmpty()) {
            return Optional.empty();
        }
        return Optional.of(new LlmcConfig.Quant(s.mark(), methods, weightScheme.get(), s.mark("weight"), actScheme, sites, kv, special, quantOut, packing, mixed, target));
    }

    private static List<LlmcConfig.Named> methods(Section s) {
        s.require("method");
        List<LlmcConfig.Named> out = new ArrayList<>();
        List<Yaml> values = switch (s.value("method").orElse(new Yaml.Sequence(List.of(), s.mark()))) {
            case Yaml.Sequence list -> list.items();
            case Yaml y -> List.of(y);
        };
        for (Yaml value : values) {
            if (!(value instanceof Yaml.Scalar name)) {
                s.problems().error(value.mark(), "%s is a method's name or a list of them, found %s", s.name("method"), value.describe());
                continue;
            }
            String text = name.text();
            if (text.equals("GPTBRECQ")) {
                s.problems().notice(name.mark(), "%s GPTBRECQ is read as TesseraQ, its new name", s.name("method"));
                text = "TesseraQ";
            }
            Optional<String> known = MethodNames.resolve(text);
            if (known.isEmpty()) {
                s.problems().error(name.mark(), "%s '%s' is unknown; methods are %s%s", s.name("method"), text, String.join(", ", MethodNames.all()),
                        Nearest.hint(text, MethodNames.all()));
                continue;
            }
            out.add(new LlmcConfig.Named(known.get(), name.mark()));
        }
        return List.copyOf(out);
    }

    private static LlmcConfig.Packing packing(Section w) {
        boolean need = w.bool("need_pack", false);
        w.inert("pack_mode", "LLMC never reads it");
        Optional<String> version = w.choice("pack_version", List.of("gemm_pack", "gemv_pack"));
        if (version.isPresent() && version.get().equals("gemv_pack")) {
            w.problems().error(w.mark("pack_version"), "%s gemv_pack is not there; gemm_pack is what AutoAWQ and MLC-LLM load", w.name("pack_version"));
        }
        return new LlmcConfig.Packing(need, version.orElse(""));
    }

    /** DGQ: w_1 (4 bits, per group) over w_2 (8 bits, per channel). */
    private static Optional<QuantScheme> twoStage(Section weight) {
        weight.require("w_2");
        Optional<Section> first = weight.section("w_1");
        Optional<Section> second = weight.section("w_2");
        Optional<QuantScheme> inner = first.flatMap(f -> SchemeReader.read(f, SchemeReader.Use.WEIGHT));
        Optional<QuantScheme> outer = second.flatMap(f -> SchemeReader.read(f, SchemeReader.Use.WEIGHT));
        first.ifPresent(Section::done);
        second.ifPresent(Section::done);
        if (inner.isEmpty() || outer.isEmpty()) {
            return Optional.empty();
        }
        return Optional.of(outer.get().withFormat(new NumberFormat.Int4OverInt8(outer.get(), inner.get(),
                new NumberFormat.SecondLevel(Float.NEGATIVE_INFINITY, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, Float.POSITIVE_INFINITY))));
    }

    private static LlmcConfig.ActivationSites sites(Section a) {
        boolean attention = a.bool("quant_attn", false);
        boolean softmax = a.bool("quant_softmax", false);
        boolean function = a.bool("quant_act_fn", false);
        if (softmax && !attention) {
            a.problems().error(a.mark("quant_softmax"), "%s needs %s: True", a.name("quant_softmax"), a.name("quant_attn"));
        }
        return new LlmcConfig.ActivationSites(attention, softmax, function);
    }

    private static Optional<LlmcConfig.KvCache> kvCache(Section k, Optional<QuantScheme> act) {
        k.require("method");
        Optional<String> method = k.choice("method", List.of("Naive", "Kivi"));
        k.inert("static", "it follows quant.act.static");
        k.inert("special", "the cache is sized by the data");
        int residual = k.integer("residual_length", 1, 1 << 20).orElse(128);
        Optional<QuantScheme> scheme = SchemeReader.read(k, SchemeReader.Use.KV_CACHE);
        k.done();
        boolean isStatic = act.isPresent() && act.get().isStatic();
        if (isStatic && method.isPresent() && method.get().equals("Kivi")) {
            k.problems().error(k.mark("method"), "%s Kivi has no static scales; use Naive, or quant.act.static: False", k.name("method"));
        }
        if (method.isEmpty() || scheme.isEmpty()) {
            return Optional.empty();
        }
        return Optional.of(new LlmcConfig.KvCache(method.get(), k.mark("method"), scheme.get().withStatic(isStatic), residual));
    }

    /** Keys of our own: {@code target_bits: 3.5}, and {@code target_widths: [2, 3, 4, 8]}. */
    private static Optional<LlmcConfig.BitTarget> target(Section s) {
        Optional<Double> average = s.number("target_bits");
        List<Integer> widths = new ArrayList<>();
        for (double w : s.numbers("target_widths").orElse(List.of())) {
            if (w < 2 || w > 8 || w != Math.rint(w)) {
                s.problems().error(s.mark("target_widths"), "%s has %s; widths are integers from 2 to 8", s.name("target_widths"), w);
            } else {
                widths.add((int) w);
            }
        }
        if (average.isEmpty() && s.has("target_widths")) {
            s.problems().error(s.mark("target_widths"), "%s says what to choose from, and %s is missing", s.name("target_widths"), s.name("target_bits"));
        }
        return average.map(a -> new LlmcConfig.BitTarget(s.mark("target_bits"), a, widths.stream().distinct().sorted().toList()));
    }

    private static List<LlmcConfig.MixedBits> mixedBits(Section m) {
        List<LlmcConfig.MixedBits> out = new ArrayList<>();
        for (String key : m.keys()) {
            Optional<Section> setting = m.section(key);
            if (setting.isEmpty()) {
                continue;
            }
            Section s = setting.get();
            s.require("layer_name");
            s.require("do_quant");
            List<String> names = s.texts("layer_name").orElse(List.of());
            for (String name : names) {
                if (!name.matches("[^#]+(#[0-9]+(-[0-9]+)*)?")) {
                    s.problems().error(s.mark("layer_name"), "%s has '%s'; an element is a layer's name, or name#block-block-block", s.name("layer_name"), name);
                }
            }
            boolean quantize = s.bool("do_quant", true);
            Optional<Section> weight = s.section("weight");
            Optional<Section> act = s.section("act");
            Optional<QuantScheme> w = weight.flatMap(x -> SchemeReader.read(x, SchemeReader.Use.WEIGHT));
            Optional<QuantScheme> a = act.flatMap(x -> SchemeReader.read(x, SchemeReader.Use.ACTIVATION));
            weight.ifPresent(x -> {
                packing(x);
                x.done();
            });
            act.ifPresent(Section::done);
            if (quantize && weight.isEmpty()) {
                s.problems().error(s.mark(), "%s has do_quant: True and no weight", s.path());
            }
            s.done();
            out.add(new LlmcConfig.MixedBits(key, s.mark(), names, quantize, w, a));
        }
        return List.copyOf(out);
    }

    /** What two sections say together. */
    private static void checks(Section s, Optional<QuantScheme> weight, Optional<Section> weightSection, Optional<QuantScheme> act, Optional<Section> actSection) {
        Problems problems = s.problems();
        if (act.isPresent() && act.get().isStatic() && act.get().granularity().kind() != Granularity.Kind.PER_TENSOR) {
            problems.error(actSection.get().mark("granularity"), "%s has to be per_tensor when quant.act.static is True", s.name("act.granularity"));
        }
        if (act.isPresent() && act.get().range() instanceof RangeRule.StaticHistogram && !act.get().symmetric()) {
            problems.error(actSection.get().mark("symmetric"), "%s has to be True with calib_algo static_hist", s.name("act.symmetric"));
        }
        if (weight.isPresent() && weight.get().granularity().kind() == Granularity.Kind.PER_BLOCK) {
            Section w = weightSection.get();
            if (!weight.get().symmetric()) {
                problems.error(w.mark("symmetric"), "%s has to be True with granularity per_block", w.name("symmetric"));
            }
            if (!(weight.get().range() instanceof RangeRule.MinMax)) {
                problems.error(w.mark("calib_algo"), "%s has to be minmax with granularity per_block", w.name("calib_algo"));
            }
            if (act.isPresent() && !act.get().granularity().equals(Granularity.perGroup(weight.get().granularity().size()))) {
                problems.error(actSection.get().mark("granularity"), "%s has to be per_group with group_size %d, the weight's block_size", s.name("act.granularity"),
                        weight.get().granularity().size());
            }
        }
    }

    /** A mutable map in the order of insertion. */
    static Map<String, Object> settings() {
        return new LinkedHashMap<>();
    }
}
