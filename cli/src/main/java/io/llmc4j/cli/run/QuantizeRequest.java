package io.llmc4j.cli.run;

import io.llmc4j.cli.config.Mark;
import io.llmc4j.cli.config.MethodCard;
import io.llmc4j.cli.config.MethodNames;
import io.llmc4j.cli.config.Nearest;
import io.llmc4j.cli.config.Overrides;
import io.llmc4j.cli.config.ScaledFormats;
import io.llmc4j.cli.config.Yaml;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.pipeline.ExpertRules;
import io.llmc4j.formats.export.ExportFormat;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.ModelShape;
import io.llmc4j.formats.hf.ModuleLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * {@code quantize}'s options, written out as the configuration that {@code run} would take. So both commands are checked and run by the same code, and
 * the report holds a configuration that repeats the run.
 *
 * @param methods   one or more to run in a row
 * @param bits      "4", or a float format such as "e4m3", or one with its scales such as "nvfp4"
 * @param group     group size; empty: per channel, or 128 where nothing is said and only weights are quantized
 * @param actBits   empty: activations stay float
 * @param export    what is written
 * @param settings  key=value of quant.special
 * @param experts   of mixtures; what is ours by default is not written out
 * @param targetBits average bits under which a width is chosen for each layer; empty: all have {@code bits}
 * @param targetWidths to choose from; empty: all that the export can carry
 */
public record QuantizeRequest(Path model, List<String> methods, String bits, Optional<Integer> group, boolean perChannel, Optional<Boolean> symmetric,
                              Optional<String> actBits, Optional<Path> calibration, Optional<Integer> samples, Optional<Integer> seqLen, ExportFormat export, Path out,
                              Optional<Path> evaluation, boolean evaluate, int seed, List<String> settings,
                              ExpertRules experts, Optional<Double> targetBits, List<Integer> targetWidths) {

    private static final int LONGEST_WINDOW = 2048;

    /** The configuration. Throws BadInput (USAGE) for options that contradict each other; all else is the configuration's to check. */
    public Yaml.Mapping document() {
        List<String> names = new ArrayList<>();
        for (String m : methods) {
            if (MethodNames.pruning().stream().anyMatch(m::equalsIgnoreCase)) {
                throw BadInput.of(BadInput.Common.USAGE, "--method %s removes weights, it does not quantize; it has a configuration of its own: run --config FILE with "
                        + "'sparse: {method: …}', as in cli/src/main/resources/configs/%s.yml", m, m.toLowerCase(Locale.ROOT));
            }
            names.add(MethodNames.resolve(m).orElseThrow(() -> BadInput.of(BadInput.Common.USAGE, "--method '%s' is unknown; methods are %s%s", m,
                    String.join(", ", MethodNames.all()), Nearest.hint(m, MethodNames.all()))));
        }
        if (!Files.isDirectory(model)) {
            throw BadInput.of(BadInput.Common.MODEL, "%s: there is no such model directory", model);
        }
        HfConfig config = HfConfig.read(model.resolve("config.json"));
        ModelShape shape = ModelShape.of(config);
        int length = seqLen.orElse(Math.min(LONGEST_WINDOW, shape.spec().contextLength()));
        boolean activations = actBits.isPresent();
        boolean scaled = ScaledFormats.named(bits).isPresent();
        boolean isFloat = scaled || bits.startsWith("e");
        boolean channel = perChannel || group.isEmpty() && (activations || isFloat) && !scaled;
        boolean sym = symmetric.orElse(isFloat || activations || export.symmetricByDefault());

        Builder b = new Builder();
        b.put("base.seed", seed, "--seed");
        b.put("model.type", shape.spec().family(), "config.json");
        b.put("model.path", model.toString(), "MODEL");
        b.put("model.torch_dtype", "auto", "MODEL");
        if (targetBits.isPresent() || names.stream().anyMatch(n -> !MethodCard.of(n).needsNothing())) {
            b.put("calib.name", "custom_txt", "--calib");
            b.put("calib.download", false, "--calib");
            b.put("calib.path", calibration.map(Path::toString).orElse(Texts.BUNDLED), "--calib");
            b.put("calib.n_samples", samples.orElse(names.contains("Awq") ? 8 : names.contains("OsPlus") ? 16 : 128), "--samples");
            b.put("calib.bs", names.contains("Awq") ? -1 : 1, "--method");
            b.put("calib.seq_len", length, "--seq-len");
            b.put("calib.preproc", "wikitext2_gptq", "--calib");
        }
        if (evaluate) {
            b.put("eval.eval_pos", List.of("pretrain", "fake_quant"), "--eval");
            b.put("eval.name", "wikitext2", "--eval");
            b.put("eval.download", false, "--eval");
            b.put("eval.path", evaluation.map(Path::toString).orElse(Texts.BUNDLED), "--eval");
            b.put("eval.seq_len", length, "--seq-len");
            b.put("eval.bs", 1, "--eval");
        }
        b.put("quant.method", names.size() == 1 ? names.getFirst() : names, "--method");
        b.put("quant.quant_out", names.stream().anyMatch(MethodDefaults::quantOut), "--method");
        String weight = "quant.weight.";
        if (names.contains("DGQ")) {
            throw BadInput.of(BadInput.Common.USAGE, "--method DGQ has two weight quantizers; describe them in a file for llmc4j run");
        }
        format(b, weight, bits, "--bits");
        targetBits.ifPresent(t -> b.put("quant.target_bits", t, "--target-bits"));
        if (!targetWidths.isEmpty()) {
            b.put("quant.target_widths", targetWidths, "--target-widths");
        }
        // A format whose name says how it is scaled needs no more; what the user says all the same is held against it.
        if (!scaled || symmetric.isPresent()) {
            b.put(weight + "symmetric", sym, symmetric.isPresent() ? (sym ? "--symmetric" : "--asymmetric") : "--export");
        }
        if (!scaled || perChannel || group.isPresent()) {
            b.put(weight + "granularity", channel ? "per_channel" : "per_group", channel ? "--per-channel" : "--group-size");
            if (!channel) {
                b.put(weight + "group_size", group.orElse(128), "--group-size");
            }
        }
        if (List.of("vllm", "sglang", "lightllm").contains(export.name()) && !activations && !isFloat) {
            b.put(weight + "need_pack", true, "--export");
        }
        if (List.of("autoawq", "mlcllm").contains(export.name())) {
            b.put(weight + "pack_version", "gemm_pack", "--export");
        }
        for (String name : names) {
            MethodDefaults.weight(name).forEach((k, v) -> b.put(weight + k, v, "--method"));
        }
        actBits.ifPresent(a -> {
            format(b, "quant.act.", a, "--act-bits");
            if (ScaledFormats.named(a).isEmpty()) {
                b.put("quant.act.symmetric", true, "--act-bits");
                b.put("quant.act.granularity", "per_token", "--act-bits");
            }
        });
        for (String name : names) {
            MethodDefaults.special(name, sym, activations).forEach((k, v) -> b.put("quant.special." + k, v, "--method"));
        }
        if (!experts.equals(ExpertRules.DEFAULT)) {
            b.put("experts.uncalibrated", experts.uncalibrated().name().toLowerCase(Locale.ROOT), "--uncalibrated-experts");
            b.put("experts.calibrate_all", experts.calibrateAll(), "--calibrate-all-experts");
            b.put("experts.quantize_routers", experts.quantizeRouters(), "--quantize-routers");
        }
        if (export.stackedExpertsOnly()) {
            List<String> others = shape.blocks().stream().flatMap(x -> x.modules().stream()).filter(m -> !m.stacked() && !m.router())
                    .flatMap(m -> m.parts().stream()).map(ModuleLayout.Part::linear).distinct().toList();
            b.put("ignored_layers.block_ids", List.of("0-" + (shape.spec().blocks() - 1)), "--export");
            b.put("ignored_layers.layer_names", others, "--export");
        }
        // "gguf:Q4_K_M" is the format gguf; its target, type included, is handed to the run as it is.
        b.put("save.save_" + export.name().replaceFirst(":.*", "").replace('-', '_'), true, "--export");
        b.put("save.save_path", out.toString(), "--out");
        return Overrides.apply(b.document, settings.stream().map(s -> s.startsWith("quant.") || s.startsWith("calib.") || s.startsWith("eval.") ? s
                : "quant.special." + s).toList());
    }

    private static void format(Builder b, String prefix, String bits, String option) {
        b.put(prefix + "bit", bits, option);
        if (bits.startsWith("e")) {
            b.put(prefix + "quant_type", "float-quant", option);
            b.put(prefix + "use_qtorch", true, option);
        }
    }

    private static final class Builder {
        private Yaml.Mapping document = Yaml.Mapping.empty(Mark.of("quantize"));

        void put(String key, Object value, String option) {
            document = Overrides.with(document, key, value, Mark.of(option));
        }
    }
}
