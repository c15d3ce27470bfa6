package io.llmc4j.engine.method;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.linalg.NotPositiveDefinite;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.Subset;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.quant.RangeRule;
import io.llmc4j.engine.quant.WeightRounding;
import io.llmc4j.engine.quant.WeightRoundings;
import io.llmc4j.engine.tensor.Matrix;
import java.util.List;
import java.util.Optional;

/** SpQR (arXiv 2306.03078; spec 3.12): compensation as GPTQ, small groups with statistics of two levels, single weights kept in high precision. */
final class Spqr implements Method {

    @Override
    public String name() {
        return "SpQR";
    }

    @Override
    public MethodInfo info() {
        return new MethodInfo("compensated rounding in small groups, outlier weights in high precision", "arXiv 2306.03078", MethodInfo.Data.ALWAYS);
    }

    @Override
    public String whyNoCodes(MethodOptions options) {
        boolean none = "inf".equals(options.special().get("relative_threshold")) || options.number("relative_threshold", 0.2) == Double.POSITIVE_INFINITY;
        return none ? "" : "SpQR keeps single weights in float beside the codes (relative_threshold: inf keeps none)";
    }

    @Override
    public List<Stage> recipe(MethodOptions options) {
        QuantScheme second = QuantScheme.integer(3, false, Granularity.perGroup(16)).withRoundZeroPoint(false);
        double threshold = options.has("relative_threshold") && "inf".equals(options.special().get("relative_threshold")) ? Double.POSITIVE_INFINITY
                : options.number("relative_threshold", 0.2);
        int blockSize = options.integer("blocksize", 128);
        double dampening = options.number("percdamp", 1);
        if (blockSize < 1 || !(dampening >= 0) || !(threshold >= 0)) {
            throw BadInput.of(BadInput.Common.CONFIG, "special.blocksize is %d, percdamp %s, relative_threshold %s; a positive size and numbers from 0 on are expected",
                    blockSize, dampening, threshold);
        }
        SpqrSolver.Settings s = new SpqrSolver.Settings(threshold, options.flag("simplified_outliers", false), options.flag("actorder", true), dampening, blockSize,
                options.flag("bilevel_rows", false), options.scheme("scale").orElse(second), options.scheme("zero").orElse(second));
        return List.of(new Rounding(s, options.flag("true_sequential", true)));
    }

    private record Rounding(SpqrSolver.Settings settings, boolean sequential) implements Round {

        @Override
        public String name() {
            return "SpQR";
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
        public void prepare(ModelWork model) {
            Misfits.refuse(model, (layer, scheme) -> {
                QuantScheme s = scheme.weight().orElseThrow();
                if (!s.isInteger() || s.granularity().kind() != Granularity.Kind.PER_GROUP) {
                    return Optional.of("has " + s.format() + " " + s.granularity().kind());
                }
                int g = s.granularity().size();
                return layer.in() < g || layer.in() % g == 0 ? Optional.empty() : Optional.of("in_features " + layer.in() + " with group_size " + g);
            }, "SpQR needs integer codes per group, with a group_size that divides in_features", "change quant.weight, or list them under ignored_layers");
        }

        @Override
        public void apply(BlockWork work) {
            Block block = work.block();
            List<Subset> subsets = block.subsets();
            for (int i = 0; i < subsets.size(); i++) {
                if (sequential && i > 0) {
                    work.recapture(subsets.get(i), Needs.of(Need.HESSIANS));
                }
                for (String name : subsets.get(i).layers()) {
                    Linear layer = block.linear(name);
                    work.scheme(layer).weight().ifPresent(s -> layer(work, layer, s.withRange(new RangeRule.MinMax())));
                }
                if (sequential) {
                    // Weights only: LLMC rounds no activation while it calibrates.
                    subsets.get(i).layers().stream().map(block::linear).filter(l -> l.weightRounding().isPresent()).forEach(l -> l.setQuantized(true));
                }
            }
        }

        private void layer(BlockWork work, Linear layer, QuantScheme scheme) {
            Quantizer quantizer = Quantizer.of(scheme);
            Matrix hessian = work.hessian(layer);
            if (!work.llmcCompatible() && allZero(hessian)) {
                work.install(layer, WeightRoundings.dynamic(quantizer));
                work.note(layer, "no calibration token reached it: rounded to nearest");
                return;
            }
            SpqrSolver.Result r;
            try {
                r = new SpqrSolver(scheme, settings).solve(layer.weight(), hessian);
            } catch (NotPositiveDefinite e) {
                throw BadInput.of(BadInput.Common.DATA, "SpQR cannot factor the Hessian of %s (%s); use more calibration data, or a larger special.percdamp (now %s)",
                        work.fullName(layer), e.getMessage(), settings.dampening());
            }
            layer.setWeight(r.weight());
            work.weightChanged(layer);
            WeightRounding rounding = settings.actOrder() ? WeightRoundings.permuted(quantizer, r.order(), r.params()) : WeightRoundings.stored(quantizer, r.params());
            work.install(layer, new SparseOutliers(rounding, r.outliers()));
            if (r.deadColumns() > 0) {
                work.note(layer, r.deadColumns() + " dead columns");
            }
            work.note(layer, String.format(java.util.Locale.ROOT, "%.2f %% outliers", 100.0 * r.outliers().cardinality() / r.weight().data().length));
        }

        private static boolean allZero(Matrix h) {
            for (int j = 0; j < h.rows(); j++) {
                if (h.get(j, j) != 0f) {
                    return false;
                }
            }
            return true;
        }
    }
}
