package io.llmc4j.cli.run;

import io.llmc4j.cli.config.LlmcConfig;
import io.llmc4j.cli.config.Problems;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.calibrate.CalibrationSet;
import io.llmc4j.engine.evaluate.Evaluation;
import io.llmc4j.engine.method.Method;
import io.llmc4j.engine.method.MethodInfo;
import io.llmc4j.engine.method.Methods;
import io.llmc4j.engine.method.OnlineRotation;
import io.llmc4j.engine.method.Stage;
import io.llmc4j.engine.pipeline.IgnoredLayers;
import io.llmc4j.engine.pipeline.InnerSites;
import io.llmc4j.engine.pipeline.KvCacheScheme;
import io.llmc4j.engine.pipeline.MethodStep;
import io.llmc4j.engine.pipeline.MixedBits;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.pipeline.SchemePlan;
import io.llmc4j.engine.pipeline.TargetBits;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.formats.export.ExportFormat;
import io.llmc4j.formats.export.Exports;
import io.llmc4j.formats.export.PlannedLayer;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.formats.hf.ModelShape;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * From a configuration to a {@link Job}: names become things, and everything that can be checked before the first block is read is checked. What is
 * wrong with the configuration itself is told together; then what is wrong with it for this model.
 */
public final class Resolver {

    private final LlmcConfig config;
    private final List<Outputs.Target> targets;
    private final Optional<Path> reportDirectory;
    private final boolean overwrite;
    private final boolean planOnly;
    private final List<String> notices = new ArrayList<>();

    private Resolver(LlmcConfig config, List<Outputs.Target> targets, Optional<Path> reportDirectory, boolean overwrite, boolean planOnly) {
        this.config = config;
        this.targets = targets;
        this.reportDirectory = reportDirectory;
        this.overwrite = overwrite;
        this.planOnly = planOnly;
        this.notices.addAll(config.notices());
    }

    /**
     * @param reportDirectory where report.json goes
     * @param planOnly        for {@code --dry-run}: weights and tokenizer may be missing
     */
    public static Job resolve(LlmcConfig config, List<Outputs.Target> targets, Optional<Path> reportDirectory, boolean overwrite, boolean planOnly) {
        return new Resolver(config, targets, reportDirectory, overwrite, planOnly).job();
    }

    private Job job() {
        Problems problems = new Problems();
        ModelTypes.check(config.model(), problems);
        checkMethods(problems);
        config.evaluations().stream().filter(e -> e.type().equals("generate_only")).forEach(e ->
                problems.error(e.mark(), "eval.type %s is not here; ppl, decode_ppl and token_acc are", e.type()));
        config.calibration().filter(LlmcConfig.Calibration::padding).ifPresent(c ->
                problems.error(c.mark(), "calib.padding: True is not here; give calib.preproc and calib.seq_len, which make windows of one length"));
        config.calibration().filter(LlmcConfig.Calibration::chatTemplate).ifPresent(c ->
                problems.error(c.mark(), "calib.apply_chat_template: True is not here; calibrate on text that has the template in it already"));
        if (!config.model().dtype().equals("auto")) {
            notices.add(config.model().typeMark().source() + ": model.torch_dtype " + config.model().dtype() + " is read as auto: weights are decoded exactly as they are "
                    + "stored, computed with in float32, and written in the checkpoint's own type");
        }
        Path directory = Path.of(config.model().path());
        if (!Files.isDirectory(directory)) {
            problems.error(config.model().pathMark(), "model.path %s: there is no such directory", directory);
        }
        problems.throwIfAny();

        ModelShape shape = ModelShape.of(HfConfig.read(directory.resolve("config.json")));
        ModelTypes.checkFamily(config.model(), shape.spec().family(), directory.resolve("config.json").toString(), problems);
        problems.throwIfAny();
        for (Outputs.Target t : targets) {
            OutputRules.check(t.directory(), directory, overwrite);
        }
        reportDirectory.ifPresent(r -> OutputRules.check(r, directory, true));

        boolean weights = !planOnly || hasWeights(directory);
        if (!weights) {
            notices.add(directory + " has no safetensors files; this plan is made from config.json alone"
                    + (config.evaluations().stream().anyMatch(e -> !e.positions().isEmpty()) ? ", without the evaluation, whose tokens it cannot count" : ""));
        }
        Optional<HfModel> model = weights ? Optional.of(HfModel.open(directory)) : Optional.empty();
        model.ifPresent(m -> m.carried().forEach((group, what) -> notices.add(group + ".*: " + what + "; carried over as it is")));
        try {
            return with(directory, shape, model);
        } catch (RuntimeException | Error e) {
            model.ifPresent(HfModel::close);
            throw e;
        }
    }

    private Job with(Path directory, ModelShape shape, Optional<HfModel> model) {
        SchemePlan schemes = schemes();
        List<PlannedRunLayer> layers = PlannedRunLayer.of(shape, schemes, config.experts(), config.compat(), i -> model.map(m -> m.blockPrefix(i)).orElse(shape.blocks().get(i).prefix()));
        Layers.checkGroups(layers);
        checkIgnored(layers);

        List<MethodStep> steps = steps();
        DataLoader loader = new DataLoader(directory, shape.spec().vocabularySize());
        boolean tokens = model.isPresent();
        Optional<CalibrationSet> calibration = tokens ? config.calibration().filter(c -> needsData(steps, schemes)).map(c -> loader.calibration(c, config.seed()))
                : Optional.empty();
        config.calibration().filter(c -> !needsData(steps, schemes)).ifPresent(c -> notices.add(c.mark() + ": calib is not used: "
                + String.join(" and ", steps.stream().map(MethodStep::name).toList()) + " needs no text"));
        List<Evaluation> evaluations = new ArrayList<>();
        if (tokens) {
            config.evaluations().stream().filter(e -> !e.positions().isEmpty()).forEach(e -> evaluations.add(loader.evaluation(e)));
        }
        Optional<KvCacheScheme> kv = config.quant().flatMap(LlmcConfig.Quant::kvCache).map(k -> new KvCacheScheme(k.method(), k.scheme(), k.residualLength()));
        boolean quantOut = config.quant().map(LlmcConfig.Quant::quantOut).orElseGet(() -> config.sparse().map(LlmcConfig.Sparse::sparsityOut).orElse(false));
        RunConfig run = new RunConfig(steps, schemes, kv, calibration, quantOut, evaluations, config.compat(), config.seed(), RunConfig.Memory.DEFAULT,
                config.experts(), config.quant().flatMap(LlmcConfig.Quant::sites).map(s -> new InnerSites(s.attention(), s.softmax(), s.activationFunction()))
                        .orElse(InnerSites.NONE));
        run.innerRounding();
        if (run.sites().any() && !targets.isEmpty()) {
            notices.add("quant.act: what is rounded inside attention and before activation functions is evaluated here, and no written format speaks of it");
        }
        checkOnlineRotation(steps);
        Optional<BitTarget> target = config.quant().flatMap(LlmcConfig.Quant::target).map(t -> BitTarget.of(t, layers, targets, l -> planned(l, run)));
        target.ifPresentOrElse(t -> {
            if (config.quant().get().target().get().widths().isEmpty() && t.widths().size() < TargetBits.WIDTHS.size()) {
                notices.add("target bits chooses among " + BitTarget.list(t.widths()) + ", which the output can carry");
            }
        }, () -> {
            List<PlannedLayer> planned = layers.stream().map(l -> planned(l, run)).toList();
            targets.forEach(t -> Exports.check(t.format(), planned, kv));
        });
        if (kv.isPresent() && !kv.get().scheme().isStatic() && !targets.isEmpty()) {
            notices.add("quant.kvcache: its ranges are found while a model runs; they are evaluated here, and no written format speaks of them");
        }
        if (calibration.isPresent() || !needsData(steps, schemes)) {
            for (MethodStep step : steps) {
                for (Stage stage : Methods.named(step.name()).recipe(run.options(step))) {
                    stage.check(run);
                }
            }
        }
        checkLengths(shape, run);
        return new Job(config, shape, model, run, layers, target, targets, reportDirectory, loader.said(), notices);
    }

    /** A layer as the rules of formats see it. */
    private static PlannedLayer planned(PlannedRunLayer l, RunConfig run) {
        boolean actOrder = run.methods().stream().anyMatch(s -> Boolean.TRUE.equals(s.special().get("actorder")) && !Boolean.TRUE.equals(s.special().get("static_groups")));
        Optional<QuantScheme> weight = l.scheme().quantized() ? l.scheme().weight() : Optional.empty();
        return new PlannedLayer(l.fullName(), l.role(), l.out(), l.in(), weight, weight.flatMap(w -> l.scheme().activation()), actOrder,
                weight.map(w -> whyNoCodes(w, run)).orElse(""), l.stacked());
    }

    private static String whyNoCodes(QuantScheme weight, RunConfig run) {
        for (MethodStep s : run.methods()) {
            String why = Methods.named(s.name()).whyNoCodes(run.options(s));
            if (!why.isEmpty()) {
                return why;
            }
        }
        return Quantizer.of(weight).whyNoCodes();
    }

    /** No server rotates inputs; floats can be saved for a second run that does. */
    private void checkOnlineRotation(List<MethodStep> steps) {
        if (steps.stream().noneMatch(s -> Boolean.TRUE.equals(s.special().get(OnlineRotation.KEY)))) {
            return;
        }
        List<String> codes = targets.stream().map(Outputs.Target::format).filter(ExportFormat::holdsCodes).map(ExportFormat::name).toList();
        if (!codes.isEmpty()) {
            throw BadInput.of(BadInput.Common.FORMAT, "special.online_rotate: inputs of output and down projections are rotated while the model runs, which no reader of %s does; "
                    + "set it to False, or save floats for a further run: %s can", String.join(", ", codes),
                    String.join(", ", Exports.all().stream().filter(f -> !f.holdsCodes() && !f.name().equals("trtllm")).map(ExportFormat::name).toList()));
        }
        if (!targets.isEmpty()) {
            notices.add("special.online_rotate: what is saved is a rotated model, whose inputs of output and down projections have to be rotated wherever it runs; "
                    + "a further run with online_rotate: True does that, other loaders do not");
        }
    }

    private void checkMethods(Problems problems) {
        for (LlmcConfig.Named m : named()) {
            if (!Available.method(m.name())) {
                problems.error(m.mark(), "method %s is not here yet; there are %s", m.name(), String.join(", ", Methods.all().stream().map(Method::name).toList()));
            } else if (config.calibration().isEmpty() && Methods.named(m.name()).info().data() == MethodInfo.Data.ALWAYS) {
                problems.error(m.mark(), "method %s needs calibration text, and calib is missing", m.name());
            }
        }
        boolean isStatic = config.quant().flatMap(LlmcConfig.Quant::activation).filter(a -> a.isStatic()).isPresent();
        if (config.calibration().isEmpty()) {
            config.quant().flatMap(LlmcConfig.Quant::target).ifPresent(t -> problems.error(t.mark(), "quant.target_bits needs calibration text, and calib is missing"));
        }
        if (isStatic && config.calibration().isEmpty()) {
            problems.error(config.quant().get().mark(), "quant.act.static: True needs calibration text, and calib is missing");
        }
    }

    private List<LlmcConfig.Named> named() {
        return config.quant().map(LlmcConfig.Quant::methods).orElseGet(() -> config.sparse().map(s -> List.of(new LlmcConfig.Named(s.method(), s.methodMark())))
                .orElse(List.of()));
    }

    private List<MethodStep> steps() {
        List<MethodStep> steps = new ArrayList<>();
        config.quant().ifPresent(q -> q.methods().forEach(m -> steps.add(new MethodStep(m.name(), q.special()))));
        config.sparse().ifPresent(s -> {
            Map<String, Object> settings = new LinkedHashMap<>(s.settings());
            steps.add(new MethodStep(s.method(), settings));
        });
        return steps;
    }

    private boolean needsData(List<MethodStep> steps, SchemePlan schemes) {
        return config.quant().flatMap(LlmcConfig.Quant::target).isPresent() || schemes.hasStaticActivations() || steps.stream().anyMatch(s -> Methods.named(s.name()).info().data() == MethodInfo.Data.ALWAYS);
    }

    private SchemePlan schemes() {
        IgnoredLayers ignored = new IgnoredLayers(new HashSet<>(config.ignored().blocks()), new HashSet<>(config.ignored().names()),
                new HashSet<>(config.ignored().fullNames()));
        if (config.quant().isEmpty()) {
            return new SchemePlan(Optional.empty(), Optional.empty(), List.of(), ignored);
        }
        LlmcConfig.Quant q = config.quant().get();
        List<MixedBits> mixed = q.mixedBits().stream().map(m -> new MixedBits(m.layers(), m.quantize(), m.weight(), m.activation())).toList();
        return new SchemePlan(Optional.of(q.weight()), q.activation(), mixed, ignored);
    }

    /** A name that matches nothing is a slip. */
    private void checkIgnored(List<PlannedRunLayer> layers) {
        LlmcConfig.Ignored ignored = config.ignored();
        List<String> wrong = new ArrayList<>();
        ignored.names().stream().filter(n -> layers.stream().noneMatch(l -> l.name().equals(n))).forEach(n -> wrong.add("layer_names " + n));
        ignored.fullNames().stream().filter(n -> layers.stream().noneMatch(l -> l.fullName().equals(n))).forEach(n -> wrong.add("special_names " + n));
        ignored.blocks().stream().filter(b -> layers.stream().noneMatch(l -> l.block() == b)).forEach(b -> wrong.add("block_ids " + b));
        if (!wrong.isEmpty()) {
            throw BadInput.of(BadInput.Common.CONFIG, "ignored_layers names what the model does not have: %s; its layers are called %s", String.join(", ", wrong),
                    String.join(", ", layers.stream().filter(l -> l.block() == 0).map(PlannedRunLayer::name).toList()));
        }
    }

    /** Learned positions end; rotary ones only lose accuracy. */
    private void checkLengths(ModelShape shape, RunConfig run) {
        int context = shape.spec().contextLength();
        int longest = 0;
        for (Evaluation e : run.evaluations()) {
            longest = Math.max(longest, e.seqLen());
        }
        if (run.calibration().isPresent()) {
            for (int[] s : run.calibration().get().samples()) {
                longest = Math.max(longest, s.length);
            }
        }
        if (longest > context && context > 0) {
            if (!shape.ends().positions().isEmpty()) {
                throw BadInput.of(BadInput.Common.CONFIG, "windows of %d tokens are longer than the %d positions that the model has; use a smaller seq_len", longest, context);
            }
            notices.add("windows of " + longest + " tokens are longer than the context of " + context + " that the model was made for; perplexity suffers");
        }
    }

    private static boolean hasWeights(Path directory) {
        try (var files = Files.list(directory)) {
            return files.anyMatch(f -> f.getFileName().toString().endsWith(".safetensors"));
        } catch (java.io.IOException e) {
            throw BadInput.of(BadInput.Common.MODEL, "%s cannot be read: %s", directory, e.getMessage());
        }
    }
}
