package io.llmc4j.engine.method;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.calibrate.Gathering;
import io.llmc4j.engine.calibrate.Inputs;
import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Products;
import io.llmc4j.engine.model.Folding;
import io.llmc4j.engine.model.Hidden;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.Norm;
import io.llmc4j.engine.model.Subset;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.quant.ActivationRounding;
import io.llmc4j.engine.quant.ActivationRoundings;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.tensor.Matrix;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Outlier Suppression+ (arXiv 2304.09145; spec 3.7): channels are shifted to their middle (where norm and layers have biases to hold it) and scaled
 * down to a threshold, found by trying. Looks at the first logical batch only (ODD-41).
 */
final class OsPlus implements Method {

    @Override
    public String name() {
        return "OsPlus";
    }

    @Override
    public MethodInfo info() {
        return new MethodInfo("shifts and scales of channels, by a search of the clipping threshold", "arXiv 2304.09145", MethodInfo.Data.ALWAYS);
    }

    @Override
    public List<Stage> recipe(MethodOptions options) {
        return List.of(new Channels(options.flag("true_sequential", false)));
    }

    private record Channels(boolean sequential) implements Transform {

        @Override
        public String name() {
            return "OS+ shift and scale";
        }

        @Override
        public Needs needs() {
            return sequential ? Needs.of(Need.INPUTS).firstSubset() : Needs.of(Need.INPUTS);
        }

        @Override
        public boolean runsBlockAgain() {
            return sequential;
        }

        @Override
        public void check(RunConfig config) {
            if (config.schemes().activations().isEmpty()) {
                throw new BadInput(BadInput.Common.CONFIG, "OsPlus searches with quantized activations; add quant.act, or use Awq for weights alone");
            }
        }

        @Override
        public void apply(BlockWork work) {
            List<Subset> subsets = work.block().subsets();
            for (int i = 0; i < subsets.size(); i++) {
                Subset s = subsets.get(i);
                if (s.previous().orElse(null) instanceof Subset.PreviousNorm norm && quantized(work, s)) {
                    if (sequential && i > 0) {
                        work.recapture(s, Needs.of(Need.INPUTS));
                    }
                    subset(work, s, work.block().norm(norm.name()));
                }
                if (sequential) {
                    s.layers().stream().map(work.block()::linear).filter(l -> work.scheme(l).weight().isPresent()).forEach(work::quantize);
                }
            }
        }

        private static boolean quantized(BlockWork work, Subset s) {
            Linear first = work.block().linear(s.layers().getFirst());
            return work.weightQuantizer(first).isPresent() && work.activationQuantizer(first).isPresent();
        }

        private static void subset(BlockWork work, Subset subset, Norm norm) {
            List<Hidden> batch = firstBatch(work.inputs(subset));
            if (batch.isEmpty()) {
                return;
            }
            ShiftAndScale extremes = ShiftAndScale.of(batch.stream().map(Hidden::data).toList());
            float[] shift = new float[0];
            if (holdsShift(work, subset, norm)) {
                shift = extremes.shift();
                extremes = extremes.minus(shift);
            }
            ShiftAndScale.Found found;
            try (Trial trial = new Trial(work, subset, batch, shift)) {
                found = extremes.search(trial::loss);
            }
            if (shift.length != 0) {
                work.foldShift(subset, shift);
                work.artifact("shifts", key(work, subset), new Matrix(1, shift.length, shift));
            }
            work.foldScale(subset, found.scale());
            work.artifact("scales", key(work, subset), new Matrix(1, found.scale().length, found.scale()));
        }

        private static String key(BlockWork work, Subset subset) {
            return work.fullName(work.block().linear(subset.layers().getFirst()));
        }

        /** LLMC shifts models that have biases throughout. */
        private static boolean holdsShift(BlockWork work, Subset subset, Norm norm) {
            return norm.bias().length != 0 && subset.layers().stream().allMatch(n -> work.block().linear(n).bias().length != 0);
        }

        private static List<Hidden> firstBatch(Inputs in) {
            List<Hidden> out = new ArrayList<>();
            for (int c = 0; c < in.chunks() && in.batchOf(c) == in.batchOf(0); c++) {
                out.add(in.chunk(c));
            }
            return out;
        }
    }

    /** The subset's layers with trial weights; closing puts everything back. */
    private static final class Trial implements AutoCloseable {

        private final BlockWork work;
        private final Subset subset;
        private final List<Hidden> shifted = new ArrayList<>();
        private final List<Matrix> targets = new ArrayList<>();
        private final ActivationRounding rounding;
        private final List<Linear> layers;
        private final Map<Linear, Matrix> weights = new HashMap<>();
        private final Map<Linear, float[]> biases = new HashMap<>();
        private final Map<Linear, Matrix> trial = new HashMap<>();

        Trial(BlockWork work, Subset subset, List<Hidden> batch, float[] shift) {
            this.work = work;
            this.subset = subset;
            this.layers = subset.layers().stream().map(work.block()::linear).toList();
            this.rounding = ActivationRoundings.dynamic(work.activationQuantizer(layers.getFirst()).orElseThrow());
            for (Hidden h : batch) {
                // The float output for the unshifted input: the shift goes into the biases, so it is the same.
                targets.add(Inspected.run(work, subset, h));
                shifted.add(shift.length == 0 ? h : h.with(minus(h.data(), shift)));
            }
            for (Linear l : layers) {
                weights.put(l, l.weight());
                biases.put(l, l.bias());
                trial.put(l, new Matrix(l.out(), l.in()));
                if (shift.length != 0) {
                    l.setBias(plus(l.bias(), Products.linear(new Matrix(1, shift.length, shift), l.weight()).data()));
                }
            }
        }

        double loss(float[] scale) {
            for (Linear l : layers) {
                Matrix w = trial.get(l);
                System.arraycopy(weights.get(l).data(), 0, w.data(), 0, w.data().length);
                Folding.multiplyColumns(w, scale);
                Optional<Quantizer> q = work.weightQuantizer(l);
                if (q.isPresent()) {
                    q.get().fakeQuantizeInto(w, w);
                }
                l.setWeight(w);
            }
            double sum = 0;
            long rows = 0;
            for (int i = 0; i < shifted.size(); i++) {
                Hidden h = shifted.get(i);
                Matrix x = h.data().copy();
                Gathering.divideRows(x, scale);
                Matrix y = Inspected.run(work, subset, h.with(rounding.fakeQuantize(x, h.batch(), h.tokens())));
                Matrix target = targets.get(i);
                for (int r = 0; r < y.rows(); r++) {
                    sum += Kernels.get().squaredDistance(y.cols(), y.data(), r * y.cols(), target.data(), r * y.cols());
                }
                rows += y.rows();
            }
            return sum / rows;
        }

        private static Matrix minus(Matrix x, float[] shift) {
            Matrix out = new Matrix(x.rows(), x.cols());
            for (int i = 0; i < out.data().length; i++) {
                out.data()[i] = x.data()[i] - shift[i % shift.length];
            }
            return out;
        }

        private static float[] plus(float[] a, float[] b) {
            float[] out = a.clone();
            for (int i = 0; i < out.length; i++) {
                out[i] += b[i];
            }
            return out;
        }

        @Override
        public void close() {
            for (Linear l : layers) {
                l.setWeight(weights.get(l));
                l.setBias(biases.get(l));
            }
        }
    }
}
