package io.llmc4j.engine.method;

import io.llmc4j.engine.autodiff.AdamW;
import io.llmc4j.engine.autodiff.LossOps;
import io.llmc4j.engine.autodiff.Tape;
import io.llmc4j.engine.autodiff.Var;
import io.llmc4j.engine.method.training.Epochs;
import io.llmc4j.engine.method.training.FloatStream;
import io.llmc4j.engine.method.training.QuantizedParameters;
import io.llmc4j.engine.model.Hidden;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.Norm;
import io.llmc4j.engine.model.NormSlot;
import io.llmc4j.engine.model.TapedBlock;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.tensor.Matrix;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Norm Tweaking (arXiv 2309.02784): the norm parameters of a quantized block are trained until its output is near the float block's.
 *
 * <p>As LLMC has it: Adam with rate {@code lr * (1 + gamma * block / blocks)}, plain mean squared error, one step a batch. The norms trained are
 * those before the projections.
 */
final class NormTweaking implements Method {

    @Override
    public String name() {
        return "NormTweaking";
    }

    @Override
    public MethodInfo info() {
        return new MethodInfo("trains norm parameters so that the quantized block's output is near the float block's", "arXiv 2309.02784", MethodInfo.Data.ALWAYS);
    }

    @Override
    public List<Stage> recipe(MethodOptions options) {
        return List.of(new Tweak(options.number("ntweak_lr", 1e-6), options.number("gamma", 0.001), options.integer("epochs", 50)));
    }

    private static final class Tweak implements Transform {

        private final double rate;
        private final double gamma;
        private final int epochs;
        private final FloatStream stream = new FloatStream("norm tweaking");

        Tweak(double rate, double gamma, int epochs) {
            this.rate = rate;
            this.gamma = gamma;
            this.epochs = epochs;
        }

        @Override
        public String name() {
            return "norm tweaking";
        }

        @Override
        public boolean runsBlockAgain() {
            return true;
        }

        @Override
        public void check(RunConfig config) {
            LearningRules.checkOutputs(name(), config);
        }

        @Override
        public void apply(BlockWork work) {
            stream.advance(work);
            Map<Norm, Var> weights = new HashMap<>();
            Map<Norm, Var> biases = new HashMap<>();
            for (NormSlot slot : List.of(NormSlot.ATTENTION_INPUT, NormSlot.MLP_INPUT)) {
                work.block().norm(slot).ifPresent(n -> {
                    weights.put(n, Var.parameter(new Matrix(1, n.weight().length, n.weight())));
                    if (n.bias().length > 0) {
                        biases.put(n, Var.parameter(new Matrix(1, n.bias().length, n.bias())));
                    }
                });
            }
            if (weights.isEmpty()) {
                work.block().linears().stream().findFirst().ifPresent(l -> work.note(l, "the block has no norm before its projections; nothing was tweaked"));
                return;
            }
            List<Var> trained = new ArrayList<>();
            for (Norm n : work.block().norms().values()) {
                if (weights.containsKey(n)) {
                    trained.add(weights.get(n));
                }
                if (biases.containsKey(n)) {
                    trained.add(biases.get(n));
                }
            }
            Map<String, Var> rounded = new HashMap<>();
            for (Linear l : work.block().linears()) {
                rounded.put(l.name(), Var.input(work.weightQuantizer(l).map(q -> q.fakeQuantize(l.weight())).orElseGet(l::weight)));
            }
            TapedBlock block = new TapedBlock(work.decoder(), work.block(), new QuantizedParameters(work) {
                @Override
                public Var weight(Tape tape, Linear layer) {
                    return rounded.get(layer.name());
                }

                @Override
                public Var normWeight(Tape tape, Norm norm) {
                    return weights.containsKey(norm) ? weights.get(norm) : super.normWeight(tape, norm);
                }

                @Override
                public Var normBias(Tape tape, Norm norm) {
                    return biases.containsKey(norm) ? biases.get(norm) : super.normBias(tape, norm);
                }
            });
            double lr = rate * (1 + gamma * work.block().index() / work.decoder().spec().blocks());
            AdamW adam = new AdamW().group(trained, lr, 0, AdamW.Decay.L2);
            Epochs.run(work, name(), epochs, adam, (tape, chunk) -> {
                Hidden x = work.blockInputs().chunk(chunk);
                Var y = block.forward(tape, Var.input(x.data()), x.batch(), x.tokens());
                return LossOps.meanSquaredError(tape, y, stream.target(chunk).data());
            }, () -> { });
        }
    }
}
