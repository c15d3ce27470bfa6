package io.llmc4j.engine.method;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.quant.RangeRule;
import io.llmc4j.engine.quant.WeightRoundings;
import io.llmc4j.engine.tensor.Matrix;
import java.util.List;
import java.util.Optional;

/**
 * HQQ (Badri and Shaji, Mobius Labs 2023; spec 3.15): zero points by half-quadratic minimisation of an l_p norm of the weight's error, without data.
 *
 * <p>The weight of the proximal term grows by kappa each iteration, as the report says; LLMC keeps it fixed (ODD-04).
 */
final class Hqq implements Method {

    @Override
    public String name() {
        return "HQQ";
    }

    @Override
    public MethodInfo info() {
        return new MethodInfo("zero points that minimise an l_p norm of the weight's error, without data", "", MethodInfo.Data.STATIC_ACTIVATIONS);
    }

    @Override
    public List<Stage> recipe(MethodOptions options) {
        int axis = options.integer("axis", 0);
        if (axis != 0 && axis != 1) {
            throw BadInput.of(BadInput.Common.CONFIG, "special.axis is %d; 0 (groups along the output features) or 1 (along the input features) is expected", axis);
        }
        RangeRule.Hqq d = RangeRule.Hqq.DEFAULT;
        int iterations = options.integer("iters", d.iterations());
        double beta = options.number("beta", d.beta());
        if (iterations < 1 || !(beta > 0)) {
            throw BadInput.of(BadInput.Common.CONFIG, "special.iters is %d and special.beta is %s; both have to be above zero", iterations, beta);
        }
        RangeRule.Hqq rule = new RangeRule.Hqq(options.number("lp_norm", d.lpNorm()), beta, options.number("kappa", d.kappa()), iterations,
                !options.llmcCompatible());
        return List.of(new Zeros(axis, rule));
    }

    /** @param axis 0: the transpose is quantized, so that ranges run along the output features; 1: the weight itself */
    private record Zeros(int axis, RangeRule.Hqq rule) implements Round {

        @Override
        public String name() {
            return "HQQ zero points";
        }

        @Override
        public void prepare(ModelWork model) {
            Misfits.refuse(model, (layer, scheme) -> {
                QuantScheme s = scheme.weight().orElseThrow();
                if (!s.isInteger()) {
                    return Optional.of("has " + s.format());
                }
                boolean across = axis == 0 && s.granularity().kind() == Granularity.Kind.PER_GROUP;
                int size = s.granularity().size();
                return across && layer.out() >= size && layer.out() % size != 0
                        ? Optional.of("out_features " + layer.out() + " (" + layer.out() / size + " groups of " + size + " and " + layer.out() % size + " left)") : Optional.empty();
            }, "HQQ needs integer codes and, with axis 0, groups that divide out_features", "use axis: 1, another group_size, or list them under ignored_layers");
        }

        @Override
        public void apply(BlockWork work) {
            for (Linear layer : work.block().linears()) {
                Optional<QuantScheme> scheme = work.scheme(layer).weight();
                if (scheme.isEmpty()) {
                    continue;
                }
                Quantizer q = Quantizer.of(scheme.get().withRange(rule), work.llmcCompatible());
                Matrix w = layer.weight();
                work.install(layer, axis == 0 ? WeightRoundings.perInputChannel(q, q.params(w.transpose())) : WeightRoundings.stored(q, q.params(w)));
                // A block of many experts need not be in memory as a whole.
                layer.release();
            }
        }
    }
}
