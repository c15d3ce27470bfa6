package io.llmc4j.engine.method;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.linalg.Precision;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.Subset;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.quant.ScaleFormat;
import io.llmc4j.engine.quant.WeightRounding;
import io.llmc4j.engine.quant.WeightRoundings;
import io.llmc4j.engine.tensor.Matrix;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * GPTQ (arXiv 2210.17323; spec 3.4): columns are rounded one by one and the error of each is spread over the rest by the inverse Hessian of
 * the layer's inputs. With {@code owq} (arXiv 2306.02272; spec 3.5) the columns with the largest Hessian diagonal stay in float.
 */
final class Gptq implements Method {

    private final boolean owq;

    /** @param owq the method "OWQ"; also {@code special.owq} of GPTQ */
    Gptq(boolean owq) {
        this.owq = owq;
    }

    @Override
    public String name() {
        return owq ? "OWQ" : "GPTQ";
    }

    @Override
    public MethodInfo info() {
        return owq ? new MethodInfo("GPTQ with the most sensitive input columns kept in float", "arXiv 2306.02272", MethodInfo.Data.ALWAYS)
                : new MethodInfo("rounds column by column and spreads each error over the rest by the inverse Hessian", "arXiv 2210.17323", MethodInfo.Data.ALWAYS);
    }

    @Override
    public String whyNoCodes(MethodOptions options) {
        return owq || options.flag("owq", false) ? "OWQ keeps input columns in float" : "";
    }

    @Override
    public List<Stage> recipe(MethodOptions o) {
        boolean keep = owq || o.flag("owq", false);
        List<Integer> kept = o.numbers("n_outs").stream().map(Double::intValue).toList();
        if (keep && kept.isEmpty()) {
            throw new BadInput(BadInput.Common.CONFIG, "owq needs special.n_outs: how many columns stay in float, one number for each linear layer of a block or one for all");
        }
        if (kept.stream().anyMatch(n -> n < 0)) {
            throw BadInput.of(BadInput.Common.CONFIG, "special.n_outs is %s; numbers of columns are at least 0", kept);
        }
        int blockSize = o.integer("blocksize", 128);
        double damping = o.number("percdamp", 0.01);
        if (blockSize < 1 || damping < 0) {
            throw BadInput.of(BadInput.Common.CONFIG, "special.blocksize is %d and special.percdamp %s; at least 1 and at least 0 are expected", blockSize, damping);
        }
        return List.of(new Rounding(!keep && o.flag("actorder", false), !keep && o.flag("static_groups", false), damping, blockSize,
                o.flag("true_sequential", o.quantOut()),
                Precision.valueOf(o.choice("factor_precision", "float64", "float32").toUpperCase(Locale.ROOT)), keep ? Optional.of(kept) : Optional.empty()));
    }

    /**
     * @param precision of the Hessian's factorisation ({@code factor_precision}, a key of our own)
     * @param kept      columns that stay float, by linear layer of the block in module order
     */
    private record Rounding(boolean actOrder, boolean staticGroups, double damping, int blockSize, boolean sequential, Precision precision,
                            Optional<List<Integer>> kept)
            implements Round {

        @Override
        public String name() {
            return kept.isPresent() ? "OWQ rounding" : "GPTQ rounding";
        }

        @Override
        public Needs needs() {
            return sequential ? Needs.of(Need.HESSIANS).firstSubset() : Needs.of(Need.HESSIANS);
        }

        @Override
        public boolean runsBlockAgain() {
            return sequential;
        }

        @Override
        public void check(RunConfig config) {
            for (QuantScheme s : config.schemes().weights()) {
                Granularity.Kind kind = s.granularity().kind();
                boolean adaptive = s.format() instanceof NumberFormat.Float f && f.path() == NumberFormat.Float.Path.ADAPTIVE;
                if (s.scaleFormat() == ScaleFormat.E4M3_TWO_LEVEL && (kept.isPresent() || !staticGroups)) {
                    throw BadInput.of(BadInput.Common.NOT_SUPPORTED, "%s: NVFP4's second scale is that of the whole weight, so ranges are found before the walk: %s", name(),
                            kept.isPresent() ? "use GPTQ" : "set special.static_groups: True");
                }
                if (adaptive || s.format() instanceof NumberFormat.Int4OverInt8) {
                    throw BadInput.of(BadInput.Common.NOT_SUPPORTED, "%s cannot round to this format column by column; use integers, or floats with use_qtorch: True",
                            name());
                }
                if (kind == Granularity.Kind.PER_HEAD || kind == Granularity.Kind.PER_BLOCK) {
                    throw BadInput.of(BadInput.Common.CONFIG, "%s does not work with weight granularity %s; use per_group, per_channel or per_tensor", name(),
                            kind.name().toLowerCase(Locale.ROOT));
                }
            }
        }

        /** Blocks may differ (dense ones before mixtures), and then one number has to do for all layers. */
        @Override
        public void prepare(ModelWork model) {
            for (int i = 0; kept.isPresent() && i < model.spec().blocks(); i++) {
                List<Linear> linears = model.block(i).linears();
                if (kept.get().size() != 1 && kept.get().size() != linears.size()) {
                    throw BadInput.of(BadInput.Common.CONFIG, "special.n_outs has %d numbers, but block %d has %d linear layers: %s; give one number for each, or one for all",
                            kept.get().size(), i, linears.size(), String.join(", ", linears.stream().map(Linear::name).toList()));
                }
                for (Linear l : linears) {
                    if (columns(linears, l) >= l.in()) {
                        throw BadInput.of(BadInput.Common.CONFIG, "special.n_outs keeps %d columns of %s.%s, which has %d", columns(linears, l), model.blockPrefix(i), l.name(), l.in());
                    }
                }
            }
        }

        private int columns(List<Linear> linears, Linear layer) {
            return kept.orElseThrow().get(kept.get().size() == 1 ? 0 : linears.indexOf(layer));
        }

        @Override
        public void apply(BlockWork work) {
            List<Subset> subsets = work.block().subsets();
            for (int i = 0; i < subsets.size(); i++) {
                List<Linear> layers = subsets.get(i).layers().stream().map(work.block()::linear).toList();
                round(work, layers.stream().filter(l -> work.scheme(l).weight().isPresent()).toList());
                if (sequential) {
                    layers.forEach(work::quantize);
                    if (i + 1 < subsets.size()) {
                        work.recapture(subsets.get(i + 1), Needs.of(Need.HESSIANS));
                    }
                }
            }
        }

        /** Layers that read the same inputs share one factor of their Hessian. */
        private void round(BlockWork work, List<Linear> layers) {
            List<Linear> left = new ArrayList<>(layers);
            while (!left.isEmpty()) {
                Linear first = left.getFirst();
                Matrix h = work.hessian(first);
                List<Linear> together = kept.isPresent() ? List.of(first) : left.stream().filter(l -> l == first || work.sameInput(l, first)).toList();
                left.removeAll(together);
                if (isZero(h) && !work.llmcCompatible()) {
                    together.forEach(l -> work.note(l, "no calibration token reached it: rounded to nearest"));
                    continue;
                }
                InverseHessian inverse = InverseHessian.consuming(h, order(work, first, h), damping, precision, work.fullName(first));
                together.forEach(l -> round(work, l, inverse));
            }
        }

        private static boolean isZero(Matrix h) {
            for (int i = 0; i < h.rows(); i++) {
                if (h.get(i, i) != 0) {
                    return false;
                }
            }
            return true;
        }

        private ColumnOrder order(BlockWork work, Linear layer, Matrix h) {
            float[] diagonal = new float[h.rows()];
            for (int i = 0; i < diagonal.length; i++) {
                diagonal[i] = h.get(i, i);
            }
            if (kept.isPresent()) {
                return ColumnOrder.keeping(diagonal, columns(work.block().linears(), layer));
            }
            return actOrder ? ColumnOrder.falling(diagonal) : ColumnOrder.natural(diagonal.length);
        }

        private void round(BlockWork work, Linear layer, InverseHessian inverse) {
            Quantizer quantizer = work.weightQuantizer(layer).orElseThrow();
            GptqSolver.Solution s = new GptqSolver(quantizer, work.llmcCompatible(), blockSize, staticGroups).solve(layer.weight(), inverse);
            layer.setWeight(s.weight());
            work.weightChanged(layer);
            work.install(layer, rounding(quantizer, inverse.order(), s));
            if (inverse.deadColumns() > 0) {
                work.note(layer, inverse.deadColumns() + " dead columns");
            }
            if (inverse.raised()) {
                work.note(layer, "damping raised to " + inverse.damping());
            }
            if (kept.isPresent()) {
                work.note(layer, inverse.order().order().length - inverse.order().quantized() + " columns kept in float");
            }
        }

        private WeightRounding rounding(Quantizer quantizer, ColumnOrder order, GptqSolver.Solution s) {
            boolean grouped = quantizer.scheme().granularity().kind() == Granularity.Kind.PER_GROUP;
            if (kept.isPresent()) {
                return grouped ? new KeptColumns(WeightRoundings.permuted(quantizer, order.order(), s.params()), order)
                        : WeightRoundings.keepingColumns(quantizer, order.quantizedColumns(), s.params());
            }
            boolean inOrder = grouped && !staticGroups && !order.isNatural();
            return inOrder ? WeightRoundings.permuted(quantizer, order.order(), s.params()) : WeightRoundings.stored(quantizer, s.params());
        }
    }

    /** Groups over the columns in the walk's order, the last ones put back in float: their number need not be a multiple of the group size. */
    private record KeptColumns(WeightRounding all, ColumnOrder order) implements WeightRounding {

        @Override
        public Matrix fakeQuantize(Matrix weight) {
            Matrix out = all.fakeQuantize(weight);
            for (int i = order.quantized(); i < order.order().length; i++) {
                int c = order.order()[i];
                for (int r = 0; r < weight.rows(); r++) {
                    out.set(r, c, weight.get(r, c));
                }
            }
            return out;
        }

        @Override
        public Optional<io.llmc4j.engine.quant.QuantizedMatrix> codes(Matrix weight) {
            return Optional.empty();
        }

        @Override
        public String whyNoCodes() {
            return "some input channels stay in high precision, which a matrix of codes cannot hold";
        }
    }
}
