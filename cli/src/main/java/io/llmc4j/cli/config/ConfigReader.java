package io.llmc4j.cli.config;

import io.llmc4j.engine.pipeline.ExpertRules;
import io.llmc4j.formats.export.Exports;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** The top level of a configuration and its small sections; the larger ones have readers of their own. */
public final class ConfigReader {

    private static final List<String> DTYPES = List.of("auto", "torch.float16", "torch.bfloat16", "torch.float32", "torch.float8_e4m3fn");
    /** LLMC's save_* flags. */
    private static final List<String> LLMC_TARGETS = List.of("trans", "fake", "vllm", "lightllm", "sgl", "autoawq", "mlcllm", "lightx2v", "trtllm");

    private ConfigReader() {
    }

    /** Reads a file; throws BadInput (CONFIG) with every problem of it. */
    public static LlmcConfig read(Path file, List<String> overrides, boolean compat) {
        return read(Overrides.apply(YamlReader.read(file), overrides), compat);
    }

    /** Reads a document; throws BadInput (CONFIG) with every problem of it. */
    public static LlmcConfig read(Yaml.Mapping document, boolean compatFlag) {
        Problems problems = new Problems();
        Section top = new Section("", document, problems);
        int seed = base(top);
        Optional<LlmcConfig.Model> model = model(top);
        Optional<LlmcConfig.Calibration> calibration = top.section("calib").flatMap(DataReader::calibration);
        List<LlmcConfig.Evaluation> evaluations = DataReader.evaluations(top);
        Optional<LlmcConfig.Quant> quant = Optional.empty();
        Optional<LlmcConfig.Sparse> sparse = Optional.empty();
        if (top.has("quant") && top.has("sparse")) {
            problems.error(top.mark("sparse"), "quant and sparse are both here; a run does one of them");
        } else if (!top.has("quant") && !top.has("sparse")) {
            problems.error(document.mark(), "neither quant nor sparse is here, so there is nothing to do");
        }
        if (top.has("quant")) {
            quant = top.section("quant").flatMap(QuantReader::read);
        }
        if (top.has("sparse")) {
            sparse = top.section("sparse").flatMap(SparseReader::read);
        }
        LlmcConfig.Ignored ignored = ignored(top);
        ExpertRules experts = experts(top);
        LlmcConfig.Save save = save(top);
        top.refuse("opencompass", "runs a Python program on the transformed model, which is not ours to start; use save_trans and run OpenCompass on the result");
        boolean compat = compatFlag || top.choice("compat", List.of("llmc", "none")).orElse("none").equals("llmc");
        top.done();
        problems.throwIfAny();
        return new LlmcConfig(document.mark(), seed, model.orElseThrow(), calibration, evaluations, quant, sparse, ignored, experts, save, compat,
                problems.notices(), document.asObject());
    }

    private static int base(Section top) {
        top.require("base");
        Optional<Section> base = top.section("base");
        base.ifPresent(b -> b.require("seed"));
        int seed = base.flatMap(b -> b.integer("seed", 0, Integer.MAX_VALUE)).orElse(0);
        base.ifPresent(Section::done);
        return seed;
    }

    private static Optional<LlmcConfig.Model> model(Section top) {
        top.require("model");
        Optional<Section> section = top.section("model");
        if (section.isEmpty()) {
            return Optional.empty();
        }
        Section s = section.get();
        Optional<String> type = s.requiredText("type");
        Optional<String> path = s.requiredText("path");
        s.require("torch_dtype");
        String dtype = s.choice("torch_dtype", DTYPES).orElse("auto");
        if (s.has("tokenizer_mode")) {
            s.choice("tokenizer_mode", List.of("slow", "fast"));
            if (s.text("tokenizer_mode", "").equals("slow")) {
                s.problems().notice(s.mark("tokenizer_mode"), "model.tokenizer_mode slow is read as fast: there is one tokenizer, tokenizer.json");
            }
        }
        s.inert("use_cpu_to_save_cuda_mem_for_catcher", "blocks are loaded one at a time anyway");
        s.refuse("lora_path", "merging LoRA weights is for video models, which are not here");
        s.done();
        if (type.isEmpty() || path.isEmpty()) {
            return Optional.empty();
        }
        return Optional.of(new LlmcConfig.Model(type.get(), s.mark("type"), path.get(), s.mark("path"), dtype.replace("torch.", "")));
    }

    /** A section of our own: what is done with mixtures of experts. */
    private static ExpertRules experts(Section top) {
        Optional<Section> section = top.section("experts");
        if (section.isEmpty()) {
            return ExpertRules.DEFAULT;
        }
        Section s = section.get();
        List<String> names = Arrays.stream(ExpertRules.Uncalibrated.values()).map(u -> u.name().toLowerCase(Locale.ROOT)).toList();
        String uncalibrated = s.choice("uncalibrated", names).orElse("rtn");
        ExpertRules rules = new ExpertRules(ExpertRules.Uncalibrated.valueOf(uncalibrated.toUpperCase(Locale.ROOT)), s.bool("calibrate_all", false),
                s.bool("quantize_routers", false));
        s.done();
        return rules;
    }

    private static LlmcConfig.Ignored ignored(Section top) {
        Optional<Section> section = top.section("ignored_layers");
        if (section.isEmpty()) {
            return new LlmcConfig.Ignored(List.of(), List.of(), List.of());
        }
        Section s = section.get();
        List<Integer> blocks = s.texts("block_ids").map(ids -> blocks(s, ids)).orElse(List.of());
        List<String> names = s.texts("layer_names").orElse(List.of());
        String special = s.alias("special_names", "speical_names");
        if (special.equals("speical_names")) {
            s.problems().notice(s.mark(special), "%s is read as special_names", s.name(special));
        }
        List<String> full = s.texts(special).orElse(List.of());
        s.done();
        if (blocks.isEmpty() != names.isEmpty()) {
            s.problems().error(s.mark(), "ignored_layers keeps the layers that are in layer_names and in a block of block_ids; only %s is here, so none is kept",
                    blocks.isEmpty() ? "layer_names" : "block_ids");
        }
        return new LlmcConfig.Ignored(blocks, names, full);
    }

    /** [4, 15-23]: numbers and inclusive ranges. */
    private static List<Integer> blocks(Section s, List<String> ids) {
        List<Integer> out = new ArrayList<>();
        for (String id : ids) {
            if (!id.matches("[0-9]{1,5}(-[0-9]{1,5})?")) {
                s.problems().error(s.mark("block_ids"), "%s has '%s'; its elements are block numbers and ranges such as 15-23", s.name("block_ids"), id);
                continue;
            }
            String[] ends = id.split("-");
            int from = Integer.parseInt(ends[0]);
            int to = Integer.parseInt(ends[ends.length - 1]);
            if (to < from) {
                s.problems().error(s.mark("block_ids"), "%s has the range %s, which ends before it begins", s.name("block_ids"), id);
            }
            for (int i = from; i <= to; i++) {
                out.add(i);
            }
        }
        return List.copyOf(out);
    }

    private static LlmcConfig.Save save(Section top) {
        Map<String, Mark> targets = new LinkedHashMap<>();
        Optional<Section> section = top.section("save");
        if (section.isEmpty()) {
            return new LlmcConfig.Save("", top.mark(), targets, 1, 1);
        }
        Section s = section.get();
        Set<String> known = new LinkedHashSet<>(LLMC_TARGETS);
        Exports.all().forEach(f -> known.add(f.name().replace('-', '_')));
        for (String target : known) {
            if (s.bool("save_" + target, false)) {
                targets.put(target, s.mark("save_" + target));
            }
        }
        s.inert("save_fp", "LLMC never reads it");
        s.inert("save_autogptq", "LLMC never reads it");
        for (String k : List.of("save_scale", "scale_path", "save_clip", "clip_path")) {
            if (s.has(k)) {
                s.problems().error(s.mark(k), "%s belongs under quant.special", s.name(k));
            }
        }
        Optional<Section> trt = s.section("trtllm_cfg");
        int tp = trt.flatMap(t -> t.integer("tp_size", 1, 1024)).orElse(1);
        int pp = trt.flatMap(t -> t.integer("pp_size", 1, 1024)).orElse(1);
        trt.ifPresent(Section::done);
        if (!targets.isEmpty()) {
            s.require("save_path");
        }
        String path = s.text("save_path", "");
        Mark mark = s.mark("save_path");
        s.done();
        return new LlmcConfig.Save(path, mark, targets, tp, pp);
    }
}
