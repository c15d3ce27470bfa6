package io.llmc4j.engine.method;

import io.llmc4j.engine.autodiff.AdamW;
import io.llmc4j.engine.autodiff.ElementOps;
import io.llmc4j.engine.autodiff.LossOps;
import io.llmc4j.engine.autodiff.QuantizeOps;
import io.llmc4j.engine.autodiff.Tape;
import io.llmc4j.engine.autodiff.Var;
import io.llmc4j.engine.calibrate.Inputs;
import io.llmc4j.engine.method.training.Epochs;
import io.llmc4j.engine.method.training.Steps;
import io.llmc4j.engine.method.training.FloatStream;
import io.llmc4j.engine.method.training.QuantizedParameters;
import io.llmc4j.engine.method.training.TapedQuantizers;
import io.llmc4j.engine.model.Hidden;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.TapedBlock;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.quant.ClipFactors;
import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantParams;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.quant.WeightRoundings;
import io.llmc4j.engine.tensor.Matrix;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;

/** TesseraQ's stage (spec 3.18): V starts where floor + h(V) is the weight itself, hardens by quantiles, is merged into the weight at the end. */
final class TesseraQTraining implements Round {

    /** Adam's L2 decay of the output factor's variables. */
    private static final double FACTOR_DECAY = 1e-4;

    private final TesseraQ.Settings settings;
    private final FloatStream stream;
    private final Optional<String> clips;

    /** One layer: floor(w / s) by range, rounding variables V, factor variables f (no elements: not learnt). */
    private record Soft(Linear layer, Quantizer quantizer, QuantParams params, Matrix base, Var v, Var f) {
        NumberFormat.Int grid() {
            return (NumberFormat.Int) quantizer.scheme().format();
        }
    }

    /**
     * @param stream advanced by an earlier stage
     * @param clips  where an earlier run saved clip factors, or empty
     */
    TesseraQTraining(TesseraQ.Settings settings, FloatStream stream, Optional<String> clips) {
        this.settings = settings;
        this.stream = stream;
        this.clips = clips;
    }

    @Override
    public String name() {
        return "TesseraQ";
    }

    @Override
    public boolean runsBlockAgain() {
        return true;
    }

    @Override
    public void check(RunConfig config) {
        LearningRules.refuseWeights(name(), config, w -> w.isInteger() ? "" : "it learns which of two neighbouring integers a weight becomes, and rounds to no "
                + w.format());
        LearningRules.check(name(), config);
    }

    @Override
    public void apply(BlockWork work) {
        Map<String, Soft> soft = new LinkedHashMap<>();
        try (LoadedClips loaded = new LoadedClips(clips)) {
            for (Linear l : work.block().linears()) {
                work.weightQuantizer(l).ifPresent(q -> soft.put(l.name(), soft(l, q, loaded.factors(work, l, q))));
            }
        }
        TapedBlock block = new TapedBlock(work.decoder(), work.block(), new QuantizedParameters(work) {
            @Override
            public Var weight(Tape tape, Linear layer) {
                Soft s = soft.get(layer.name());
                if (s == null) {
                    return Var.input(layer.weight());
                }
                return QuantizeOps.softRound(tape, s.base, s.v, s.params.scales(), s.params.zeros(), s.grid().qmin(), s.grid().qmax(), s.f, layer.out(), layer.in());
            }
        });
        SplittableRandom random = work.random("tesseraq");
        Tape tape = new Tape();
        for (int round = 0; round < settings.thresholds().size(); round++) {
            double threshold = settings.thresholds().get(round);
            soft.values().forEach(s -> harden(s.v.value().data(), threshold));
            double loss = train(work, block, tape, soft, random);
            work.loss(name(), round, loss);
            Epochs.finite(work, name(), round, loss);
        }
        soft.values().forEach(s -> merge(work, s));
    }

    private Soft soft(Linear layer, Quantizer quantizer, Optional<ClipFactors> factors) {
        Matrix w = layer.weight();
        QuantParams params = factors.isPresent() ? factors.get().params(quantizer, w) : quantizer.params(w);
        int ranges = params.ranges();
        int n = w.data().length / ranges;
        Matrix base = new Matrix(ranges, n);
        Matrix v = new Matrix(ranges, n);
        for (int r = 0; r < ranges; r++) {
            float s = params.scale(r);
            for (int i = r * n; i < (r + 1) * n; i++) {
                float t = w.data()[i] / s;
                base.data()[i] = (float) Math.floor(t);
                v.data()[i] = QuantizeOps.rectifiedInverse(t - base.data()[i]);
            }
        }
        Var f = settings.outputFactor() ? Var.parameter(new Matrix(ranges, 1)) : TapedQuantizers.NONE;
        return new Soft(layer, quantizer, params, base, Var.parameter(v), f);
    }

    /** The most decided entries become hard, so that the share {@code soft} stays soft. */
    private static void harden(float[] v, double soft) {
        float[] scores = new float[v.length];
        for (int i = 0; i < v.length; i++) {
            scores[i] = Math.abs(QuantizeOps.rectified(v[i]) - 0.5f);
        }
        float[] sorted = scores.clone();
        Arrays.sort(sorted);
        double at = soft * (sorted.length - 1);
        int below = (int) Math.floor(at);
        int above = Math.min(below + 1, sorted.length - 1);
        float cut = (float) (sorted[below] + (at - below) * (sorted[above] - sorted[below]));
        for (int i = 0; i < v.length; i++) {
            float h = QuantizeOps.rectified(v[i]);
            if (h > 0.5f + cut) {
                v[i] = Float.POSITIVE_INFINITY;
            } else if (h < 0.5f - cut) {
                v[i] = Float.NEGATIVE_INFINITY;
            }
        }
    }

    private double train(BlockWork work, TapedBlock block, Tape tape, Map<String, Soft> soft, SplittableRandom random) {
        AdamW adam = new AdamW().group(soft.values().stream().map(Soft::v).toList(), settings.rate(), 0, AdamW.Decay.L2);
        List<Var> factors = soft.values().stream().map(Soft::f).filter(Var::needsGradient).toList();
        if (!factors.isEmpty()) {
            adam.group(factors, settings.scaleRate(), FACTOR_DECAY, AdamW.Decay.L2);
        }
        Inputs inputs = work.blockInputs();
        Steps steps = new Steps();
        int[] order = new int[inputs.chunks()];
        Arrays.setAll(order, i -> i);
        double total = 0;
        for (int step = 0; step < settings.iterations(); step++) {
            shuffle(order, random);
            adam.zeroGradients();
            int batch = Math.min(settings.batch(), order.length);
            double loss = 0;
            for (int i = 0; i < batch; i++) {
                Hidden x = inputs.chunk(order[i]);
                Var y = block.forward(tape, Var.input(x.data()), x.batch(), x.tokens());
                Var l = ElementOps.scale(tape, LossOps.tokenSquaredError(tape, y, stream.target(order[i]).data()), 1f / batch);
                loss += l.value().data()[0];
                tape.backward(l);
                tape.reset();
            }
            steps.take(adam);
            total += loss;
        }
        steps.tell(work, name());
        return settings.iterations() == 0 ? 0 : total / settings.iterations();
    }

    private static void shuffle(int[] a, SplittableRandom random) {
        for (int i = a.length - 1; i > 0; i--) {
            int j = random.nextInt(i + 1);
            int t = a[i];
            a[i] = a[j];
            a[j] = t;
        }
    }

    /**
     * Moves every weight by half a step where its learnt rounding is not the nearest one: rounding to nearest with the stored parameters then
     * gives the learnt code (spec 3.18, step 8).
     */
    private static void merge(BlockWork work, Soft s) {
        float[] w = s.layer.weight().data();
        int n = s.base.cols();
        int moved = 0;
        for (int r = 0; r < s.base.rows(); r++) {
            float scale = s.params.scale(r);
            for (int i = r * n; i < (r + 1) * n; i++) {
                int up = s.v.value().data()[i] > 0 ? 1 : 0;
                int nearest = w[i] / scale - s.base.data()[i] > 0.5f ? 1 : 0;
                if (up != nearest) {
                    w[i] += 0.5f * scale * (up - nearest);
                    moved++;
                }
            }
        }
        work.weightChanged(s.layer);
        QuantParams params = s.params;
        if (s.f.needsGradient()) {
            float[] factors = new float[s.base.rows()];
            for (int r = 0; r < factors.length; r++) {
                factors[r] = 2 * QuantizeOps.rectified(s.f.value().data()[r]);
            }
            params = params.withOutputFactor(factors);
        }
        work.install(s.layer, WeightRoundings.stored(s.quantizer, params));
        work.note(s.layer, moved + " of " + w.length + " weights do not round to nearest");
    }
}
