package io.llmc4j.engine.method;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.calibrate.Gathering;
import io.llmc4j.engine.calibrate.Inputs;
import io.llmc4j.engine.calibrate.StateStore;
import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.kernel.Products;
import io.llmc4j.engine.model.Folding;
import io.llmc4j.engine.model.ForwardHooks;
import io.llmc4j.engine.model.Hidden;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.Subset;
import io.llmc4j.engine.quant.ActivationRounding;
import io.llmc4j.engine.quant.ActivationRoundings;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.tensor.Matrix;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.function.IntFunction;

/**
 * The search for one subset's scale: of twenty ratios, the one whose quantized subset changes the inspected module's output least.
 *
 * <p>With several calibration batches LLMC lets the first one choose the ratio and averages that ratio's scale over all (ODD-31); so only the
 * first batch passes through the inspected module. Where that module is the subset's only layer and inputs stay float, the loss is a quadratic
 * form in the change of the weight, with the Gram matrix of the inputs: the same number, without the tokens.
 */
final class AwqSearch {

    private static final int RATIOS = 20;
    /** Tokens after which a ratio is asked whether it can still win. */
    private static final int PART_TOKENS = 512;

    private final BlockWork work;
    private final Subset subset;
    private final AwqScale.Version version;
    private final int subBatch;
    private final boolean grouped;
    private final List<Linear> layers;
    private final Inputs inputs;
    private final int firstBatchChunks;
    private final Optional<Linear> inspected;

    /** @param subBatch samples whose magnitudes are averaged together; 0: those of the first batch */
    AwqSearch(BlockWork work, Subset subset, AwqScale.Version version, int subBatch) {
        this.work = work;
        this.subset = subset;
        this.layers = subset.layers().stream().map(work.block()::linear).toList();
        Optional<Linear> producer = subset.previous().filter(p -> p instanceof Subset.PreviousLinear).map(p -> work.block().linear(p.name()));
        this.grouped = producer.isPresent() && producer.get().out() != layers.getFirst().in();
        this.version = grouped ? AwqScale.Version.V2 : version;
        // LLMC searches a shared value head on the value projection's input (ODD-32).
        this.inputs = grouped ? work.inputs(producer.get()) : work.inputs(subset);
        if (grouped && inputs.features() != layers.getFirst().in()) {
            throw BadInput.of(BadInput.Common.NOT_SUPPORTED, "do_gqa_trans searches %s on inputs of %d features, but it takes %d; set do_gqa_trans: False",
                    work.fullName(layers.getFirst()), inputs.features(), layers.getFirst().in());
        }
        this.inspected = subset.inspect() == Subset.Inspect.LINEAR ? Optional.of(layers.getFirst()) : Optional.empty();
        int n = 0;
        while (n < inputs.chunks() && inputs.batchOf(n) == inputs.batchOf(0)) {
            n++;
        }
        this.firstBatchChunks = n;
        int samples = 0;
        for (int c = 0; c < n; c++) {
            samples += inputs.samples(c);
        }
        this.subBatch = subBatch > 0 ? subBatch : samples;
    }

    /** The scale to fold, an entry an output of the predecessor. */
    float[] best() {
        float[] importance = version == AwqScale.Version.V1 ? AwqScale.weightImportance(layers.stream().map(Linear::weight).toList(),
                work.scheme(layers.getFirst()).weight().orElseThrow().granularity()) : new float[0];
        float[] magnitudes = magnitudes(0);
        int best;
        try (Loss loss = loss()) {
            best = smallest(loss, n -> Folding.expand(work.block(), AwqScale.of(version, magnitudes, importance, (double) n / RATIOS), layers.getFirst().in()));
        }
        if (best < 0) {
            throw BadInput.of(BadInput.Common.DATA, "no AWQ scale of %s gives a finite error: the model or the calibration data holds values that are not finite",
                    work.fullName(layers.getFirst()));
        }
        return averaged((double) best / RATIOS, importance);
    }

    /**
     * The first ratio of the smallest loss; -1 where none is finite. A loss is a sum of squares, so a ratio whose sum over some of the tokens is already
     * larger than another's over all of them is out, exactly. The ratios that look best on the first tokens go first, and then most others end early.
     */
    private static int smallest(Loss loss, IntFunction<float[]> scale) {
        double[] first = new double[RATIOS];
        List<Integer> order = new ArrayList<>();
        for (int n = 0; n < RATIOS; n++) {
            first[n] = loss.parts() == 1 ? 0 : loss.of(scale.apply(n), 0, 1, 0, Double.POSITIVE_INFINITY);
            order.add(n);
        }
        // Stable, and not a number comes last.
        order.sort(Comparator.comparingDouble(n -> first[n]));
        int best = -1;
        double least = Double.POSITIVE_INFINITY;
        for (int n : order) {
            if (first[n] > least) {
                break;
            }
            double l = loss.of(scale.apply(n), loss.parts() == 1 ? 0 : 1, loss.parts(), first[n], least);
            if (l < least || l == least && best >= 0 && n < best) {
                least = l;
                best = n;
            }
        }
        return best;
    }

    /** The ratio's scale, weighted by samples over all batches. */
    private float[] averaged(double ratio, float[] importance) {
        long all = 0;
        for (int c = 0; c < inputs.chunks(); c++) {
            all += inputs.samples(c);
        }
        float[] sum = new float[0];
        for (int c = 0; c < inputs.chunks();) {
            int samples = 0;
            int first = c;
            while (c < inputs.chunks() && inputs.batchOf(c) == inputs.batchOf(first)) {
                samples += inputs.samples(c++);
            }
            float[] t = AwqScale.of(version, magnitudes(first), importance, ratio);
            sum = sum.length == 0 ? new float[t.length] : sum;
            float weight = (float) ((double) samples / all);
            for (int j = 0; j < t.length; j++) {
                sum[j] += weight * t[j];
            }
        }
        return sum;
    }

    /** Mean magnitude of each channel of the batch that begins at a chunk: the mean over its whole sub-batches. */
    private float[] magnitudes(int firstChunk) {
        double[] mean = new double[0];
        double[] part = new double[0];
        int inPart = 0;
        long rows = 0;
        int parts = 0;
        for (int c = firstChunk; c < inputs.chunks() && inputs.batchOf(c) == inputs.batchOf(firstChunk); c++) {
            Hidden h = channelStates(inputs.chunk(c));
            if (part.length == 0) {
                part = new double[h.data().cols()];
                mean = new double[part.length];
            }
            for (int b = 0; b < h.batch(); b++) {
                AwqScale.addMagnitudes(h, b, b + 1, part);
                rows += h.tokens();
                if (++inPart == subBatch) {
                    addMean(part, rows, mean);
                    parts++;
                    inPart = 0;
                    rows = 0;
                    part = new double[part.length];
                }
            }
        }
        if (parts == 0) {
            addMean(part, rows, mean);
            parts = 1;
        }
        float[] out = new float[mean.length];
        for (int j = 0; j < out.length; j++) {
            out[j] = (float) (mean[j] / parts);
        }
        return out;
    }

    private static void addMean(double[] sum, long rows, double[] mean) {
        for (int j = 0; j < sum.length; j++) {
            mean[j] += (float) (sum[j] / rows);
        }
    }

    /** What the scale's channels are: the inputs, or the outputs of the shared value projection. */
    private Hidden channelStates(Hidden h) {
        return grouped ? h.with(work.decoder().linear(work.block().linear(subset.previous().orElseThrow().name()), h.data(), h.batch(), h.tokens(),
                ForwardHooks.NONE)) : h;
    }

    private Loss loss() {
        boolean weightOnly = work.activationQuantizer(layers.getFirst()).isEmpty();
        return inspected.isPresent() && weightOnly ? new QuadraticLoss(inspected.get()) : new OutputLoss();
    }

    /** Mean squared change of the inspected output under a scale of the inputs. */
    private interface Loss extends AutoCloseable {

        /** In how many parts the tokens come, one after the other. */
        int parts();

        /**
         * The sum over the parts from {@code from} to {@code to - 1}, added to {@code before}; whatever is larger than {@code enough} as soon as that is certain.
         *
         * @param t the scale
         */
        double of(float[] t, int from, int to, double before, double enough);

        @Override
        void close();
    }

    /** W with its columns scaled, then rounded; the scale is not taken out again. */
    private Matrix scaledAndRounded(Linear layer, float[] t) {
        Matrix w = layer.weight().copy();
        Folding.multiplyColumns(w, t);
        Optional<Quantizer> q = work.weightQuantizer(layer);
        return q.isPresent() ? q.get().fakeQuantize(w) : w;
    }

    /** For one linear layer with float inputs: sum over outputs of d G dᵀ with d = w - rounded(w t) / t. */
    private final class QuadraticLoss implements Loss {

        private final Linear layer;
        private final Matrix form;

        QuadraticLoss(Linear layer) {
            this.layer = layer;
            Matrix gram = new Matrix(layer.in(), layer.in());
            for (int c = 0; c < firstBatchChunks; c++) {
                // Sequence by sequence, so that the sum does not depend on the chunks.
                Hidden h = inputs.chunk(c);
                for (int b = 0; b < h.batch(); b++) {
                    Products.addGram(h.data().rows(b * h.tokens(), (b + 1) * h.tokens()), gram);
                }
            }
            this.form = AwqScale.quadraticForm(gram);
        }

        @Override
        public int parts() {
            return 1;
        }

        @Override
        public double of(float[] t, int from, int to, double before, double enough) {
            return AwqScale.quadraticLoss(layer.weight(), form, t, work.weightQuantizer(layer).orElseThrow());
        }

        @Override
        public void close() {
        }
    }

    /** For attention, feed-forward and anything with rounded inputs: the module runs. */
    private final class OutputLoss implements Loss {

        private final StateStore.States targets = work.store().states("awq targets");
        private final Optional<Quantizer> activations = work.activationQuantizer(layers.getFirst());
        private final boolean wholeBatch = activations.isPresent() && work.llmcCompatible() && firstBatchChunks == 1 && inputs.samples(0) == subBatch;
        private final Optional<ActivationRounding> rounding = activations.map(q -> wholeBatch ? (x, batch, tokens) -> q.fakeQuantize(x) : ActivationRoundings.dynamic(q));
        private final List<Part> parts = new ArrayList<>();

        /** Sequences {@code from} to {@code to - 1} of a chunk. */
        private record Part(int chunk, int from, int to) {

            Hidden of(Hidden h) {
                return from == 0 && to == h.batch() ? h : new Hidden(to - from, h.tokens(), h.data().rows(from * h.tokens(), to * h.tokens()));
            }
        }

        OutputLoss() {
            for (int c = 0; c < firstBatchChunks; c++) {
                Hidden h = inputs.chunk(c);
                int together = wholeBatch ? h.batch() : Math.max(1, PART_TOKENS / h.tokens());
                for (int b = 0; b < h.batch(); b += together) {
                    parts.add(new Part(c, b, Math.min(h.batch(), b + together)));
                }
                targets.put(c, h.with(inspect(h)));
            }
        }

        private Matrix inspect(Hidden h) {
            return switch (subset.inspect()) {
                case ATTENTION -> work.decoder().attention(work.block(), h, ForwardHooks.NONE, work.cache());
                case MLP -> work.decoder().mlp(work.block(), h, ForwardHooks.NONE);
                case BLOCK -> work.decoder().block(work.block(), h, ForwardHooks.NONE, work.cache()).data();
                case LINEAR -> work.decoder().linear(layers.getFirst(), h.data(), h.batch(), h.tokens(), ForwardHooks.NONE);
            };
        }

        @Override
        public int parts() {
            return parts.size();
        }

        @Override
        public double of(float[] t, int from, int to, double before, double enough) {
            List<Matrix> original = layers.stream().map(Linear::weight).toList();
            try {
                for (Linear l : layers) {
                    l.setWeight(scaledAndRounded(l, t));
                }
                double sum = before;
                for (int p = from; p < to && !(sum > enough); p++) {
                    Part part = parts.get(p);
                    Hidden h = part.of(inputs.chunk(part.chunk()));
                    Gathering.divideRows(h.data(), t);
                    Hidden in = rounding.isPresent() ? h.with(rounding.get().fakeQuantize(h.data(), h.batch(), h.tokens())) : h;
                    sum = addSquaredDistance(inspect(in), part.of(targets.get(part.chunk())).data(), sum);
                }
                return sum;
            } finally {
                for (int i = 0; i < layers.size(); i++) {
                    layers.get(i).setWeight(original.get(i));
                }
            }
        }

        /** Row by row onto the sum so far: the same additions for any chunks. */
        private static double addSquaredDistance(Matrix a, Matrix b, double before) {
            double[] rows = new double[a.rows()];
            Parallel.forRange(a.rows(), (from, to) -> {
                for (int r = from; r < to; r++) {
                    rows[r] = Kernels.get().squaredDistance(a.cols(), a.data(), r * a.cols(), b.data(), r * a.cols());
                }
            });
            double sum = before;
            for (double r : rows) {
                sum += r;
            }
            return sum;
        }

        @Override
        public void close() {
            targets.close();
        }
    }
}
