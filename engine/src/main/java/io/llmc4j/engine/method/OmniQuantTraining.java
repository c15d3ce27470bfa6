package io.llmc4j.engine.method;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.autodiff.AdamW;
import io.llmc4j.engine.autodiff.LossOps;
import io.llmc4j.engine.autodiff.Tape;
import io.llmc4j.engine.autodiff.Var;
import io.llmc4j.engine.calibrate.Inputs;
import io.llmc4j.engine.method.training.Epochs;
import io.llmc4j.engine.method.training.FloatStream;
import io.llmc4j.engine.method.training.QuantizedParameters;
import io.llmc4j.engine.method.training.TapedQuantizers;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.ForwardHooks;
import io.llmc4j.engine.model.Hidden;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.Norm;
import io.llmc4j.engine.model.Subset;
import io.llmc4j.engine.model.TapedBlock;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.quant.ActivationRoundings;
import io.llmc4j.engine.quant.ClipFactors;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.quant.WeightRoundings;
import io.llmc4j.engine.tensor.Matrix;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** OmniQuant's stage: statistics over the float model, then training block by block, folding and clip factors. */
final class OmniQuantTraining implements Transform {

    /** sigmoid(4) = 0.982: LLMC's first clip factor. */
    private static final float FIRST_LOGIT = 4f;

    private final OmniQuant.Settings settings;
    private final FloatStream stream;
    private final Map<String, float[]> maxima = new HashMap<>();
    private final Map<String, float[]> middles = new HashMap<>();

    /** Clip logits of one layer; {@code lower} has no elements for symmetric grids. */
    private record Clip(Var upper, Var lower) { }

    /** @param stream advanced by an earlier stage */
    OmniQuantTraining(OmniQuant.Settings settings, FloatStream stream) {
        this.settings = settings;
        this.stream = stream;
    }

    @Override
    public String name() {
        return "OmniQuant";
    }

    @Override
    public boolean runsBlockAgain() {
        return true;
    }

    @Override
    public void check(RunConfig config) {
        LearningRules.check(name(), config);
        settings.clips().ifPresent(p -> SavedVectors.open("clip_path", p, "clips").close());
        settings.startScales().ifPresent(p -> SavedVectors.open("scale_path", p, "scales").close());
    }

    @Override
    public Needs needs() {
        return settings.searchClip() && settings.clips().isEmpty() ? Needs.of(Need.INPUTS) : Needs.NOTHING;
    }

    @Override
    public void prepare(ModelWork model) {
        if (!settings.scales()) {
            return;
        }
        if (model.spec().layers().stream().anyMatch(l -> l.feedForward().experts().isPresent())) {
            throw new BadInput(BadInput.Common.NOT_SUPPORTED, "OmniQuant's let has no scales for mixtures of experts; set special.let: false (lwc alone works)");
        }
        model.forEachBlock(new ModelWork.Visitor() {
            @Override
            public ForwardHooks hooks(Block block) {
                return new ForwardHooks() {
                    @Override
                    public void linearInput(Linear layer, Matrix x, int batch, int tokens) {
                        gather(model.blockPrefix(block.index()) + "." + layer.name(), x);
                    }
                };
            }
        });
    }

    /** Running maxima of |x|; the middle of the range: of the first batch, then 0.99 old + 0.01 new. */
    private void gather(String name, Matrix x) {
        float[] lo = new float[x.cols()];
        float[] hi = new float[x.cols()];
        Arrays.fill(lo, Float.POSITIVE_INFINITY);
        Arrays.fill(hi, Float.NEGATIVE_INFINITY);
        for (int r = 0; r < x.rows(); r++) {
            for (int c = 0; c < x.cols(); c++) {
                float v = x.data()[r * x.cols() + c];
                lo[c] = Math.min(lo[c], v);
                hi[c] = Math.max(hi[c], v);
            }
        }
        float[] most = maxima.computeIfAbsent(name, n -> new float[x.cols()]);
        boolean first = !middles.containsKey(name);
        float[] middle = middles.computeIfAbsent(name, n -> new float[x.cols()]);
        for (int c = 0; c < x.cols(); c++) {
            most[c] = Math.max(most[c], Math.max(Math.abs(lo[c]), Math.abs(hi[c])));
            float m = (hi[c] + lo[c]) / 2;
            middle[c] = first ? m : 0.99f * middle[c] + 0.01f * m;
        }
    }

    @Override
    public void apply(BlockWork work) {
        boolean first = work.block().index() == 0;
        Optional<EquivalentScales> scales = settings.scales() ? Optional.of(equivalentScales(work)) : Optional.empty();
        Map<String, Clip> clips = settings.clip() ? clips(work) : Map.of();
        AdamW optimizer = new AdamW();
        List<Var> logits = new ArrayList<>();
        clips.values().forEach(c -> {
            logits.add(c.upper);
            if (c.lower.rows() > 0) {
                logits.add(c.lower);
            }
        });
        optimizer.group(logits, settings.clipRate(), settings.decay(), AdamW.Decay.DECOUPLED);
        scales.ifPresent(s -> optimizer.group(s.parameters(), settings.scaleRate(), settings.decay(), AdamW.Decay.DECOUPLED));
        TapedBlock block = new TapedBlock(work.decoder(), work.block(), new Learnt(work, scales, clips));
        Epochs.run(work, name(), settings.epochs(), optimizer, (tape, chunk) -> {
            scales.ifPresent(EquivalentScales::truncate);
            Hidden x = work.blockInputs().chunk(chunk);
            Var y = block.forward(tape, Var.input(x.data()), x.batch(), x.tokens());
            Var loss = LossOps.meanSquaredError(tape, y, stream.target(chunk).data());
            if (!settings.augmented()) {
                return loss;
            }
            Matrix second = first ? stream.target(chunk).data() : work.floatOutputs().chunk(chunk).data();
            return LossOps.add(tape, loss, LossOps.meanSquaredError(tape, y, second));
        }, () -> { });
        scales.ifPresent(EquivalentScales::fold);
        clips.forEach((layer, c) -> install(work, work.block().linear(layer), c));
    }

    private EquivalentScales equivalentScales(BlockWork work) {
        Map<String, float[]> first = settings.startScales().isPresent() ? saved(work) : EquivalentScales.first(work, maxima, settings.alpha(), settings.upToDown());
        Map<String, float[]> shifts = new HashMap<>();
        if (settings.shift()) {
            first.keySet().forEach(key -> shifts.put(key, middles.get(work.fullName(work.block().linear(key)))));
        }
        return new EquivalentScales(work, first, shifts);
    }

    /** AWQ's scales, away from zero. */
    private Map<String, float[]> saved(BlockWork work) {
        Map<String, float[]> out = new LinkedHashMap<>();
        try (SavedVectors scales = SavedVectors.open("scale_path", settings.startScales().orElseThrow(), "scales")) {
            for (Subset s : work.block().subsets()) {
                String key = EquivalentScales.keyLayer(s);
                if (s.previous().isPresent() && EquivalentScales.trained(work.block(), s, settings.upToDown())) {
                    scales.find(work.fullName(work.block().linear(key))).ifPresent(v -> {
                        for (int i = 0; i < v.length; i++) {
                            v[i] = Math.max(v[i], 1e-5f);
                        }
                        out.put(key, v);
                    });
                }
            }
        }
        return out;
    }

    private Map<String, Clip> clips(BlockWork work) {
        Map<String, Clip> out = new LinkedHashMap<>();
        try (LoadedClips loaded = new LoadedClips(settings.searchClip() ? settings.clips() : Optional.empty())) {
            for (Linear l : work.block().linears()) {
                Optional<Quantizer> quantizer = work.weightQuantizer(l);
                if (quantizer.isEmpty() || !work.llmcCompatible() && !work.reached(l) || settings.searchClip() && AutoClip.skips(l)) {
                    continue;
                }
                boolean symmetric = quantizer.get().scheme().symmetric();
                if (!settings.searchClip()) {
                    int ranges = quantizer.get().layout(l.out(), l.in()).ranges();
                    out.put(l.name(), new Clip(logits(ranges), symmetric ? TapedQuantizers.NONE : logits(ranges)));
                    continue;
                }
                ClipFactors f = loaded.factors(work, l, quantizer.get()).orElseGet(() -> searched(work, l, quantizer.get()));
                out.put(l.name(), new Clip(column(f.upper()), symmetric ? TapedQuantizers.NONE : column(f.lower())));
            }
        }
        return out;
    }

    /** The clip search of AWQ (its first version, as LLMC has it here) as logits; an unclipped range has +infinity and never moves. */
    private static ClipFactors searched(BlockWork work, Linear layer, Quantizer quantizer) {
        Inputs inputs = work.inputs(layer);
        if (inputs.chunks() == 0) {
            work.note(layer, "no calibration token reached it: not clipped");
            float[] open = new float[quantizer.layout(layer.out(), layer.in()).ranges()];
            Arrays.fill(open, Float.POSITIVE_INFINITY);
            return new ClipFactors(open, quantizer.scheme().symmetric() ? new float[0] : open.clone());
        }
        boolean symmetric = quantizer.scheme().symmetric();
        ClipSearch.Ranges best = new ClipSearch(quantizer, work.activationQuantizer(layer).map(ActivationRoundings::dynamic), symmetric, false)
                .best(layer.weight(), AutoClip.sampled(inputs, AutoClip.tokens(work.config(), inputs)));
        return AutoClip.factors(layer.weight(), best, symmetric, quantizer.scheme().granularity());
    }

    private static Var column(float[] v) {
        return Var.parameter(new Matrix(v.length, 1, v.clone()));
    }

    private static Var logits(int n) {
        Matrix m = new Matrix(n, 1);
        Arrays.fill(m.data(), FIRST_LOGIT);
        return Var.parameter(m);
    }

    private static void install(BlockWork work, Linear layer, Clip clip) {
        work.weightQuantizer(layer).ifPresent(q -> work.install(layer, WeightRoundings.clipped(q,
                new ClipFactors(clip.upper.value().data().clone(), clip.lower.value().data().clone()))));
    }

    /** The block with learnt scales and clip factors in place. */
    private static final class Learnt extends QuantizedParameters {

        private final Optional<EquivalentScales> scales;
        private final Map<String, Clip> clips;

        Learnt(BlockWork work, Optional<EquivalentScales> scales, Map<String, Clip> clips) {
            super(work);
            this.scales = scales;
            this.clips = clips;
        }

        @Override
        public Var weight(Tape tape, Linear layer) {
            Var w = scales.isPresent() ? scales.get().weight(tape, layer) : Var.input(layer.weight());
            Optional<QuantScheme> scheme = work.scheme(layer).weight();
            if (scheme.isEmpty()) {
                return w;
            }
            Clip c = clips.getOrDefault(layer.name(), new Clip(TapedQuantizers.NONE, TapedQuantizers.NONE));
            return TapedQuantizers.weight(tape, scheme.get(), w, c.upper, c.lower);
        }

        @Override
        public Var bias(Tape tape, Linear layer) {
            return scales.isPresent() ? scales.get().bias(tape, layer) : super.bias(tape, layer);
        }

        @Override
        public Var normWeight(Tape tape, Norm norm) {
            return scales.isPresent() ? scales.get().normWeight(tape, norm) : super.normWeight(tape, norm);
        }

        @Override
        public Var normBias(Tape tape, Norm norm) {
            return scales.isPresent() ? scales.get().normBias(tape, norm) : super.normBias(tape, norm);
        }
    }
}
