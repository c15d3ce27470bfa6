package io.llmc4j.engine.method;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.quant.ActivationRounding;
import io.llmc4j.engine.quant.ActivationRoundings;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.quant.WeightRoundings;
import io.llmc4j.engine.tensor.Matrix;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * LLM.int8() (arXiv 2208.07339; spec 3.14): input channels that reach a threshold in the input at hand stay in high precision, weight column and
 * activation alike; ranges of the rest do not see them.
 *
 * <p>Activations are split anew for every forward pass. The weight is split by the first input that the layer sees and then kept, as LLMC has it
 * (ODD-58), or, with {@code refresh_weight: true}, for every input as the paper has it. What is written to disk is rounded as a whole: the split
 * belongs to the input.
 */
public final class LlmInt8 implements Method {

    @Override
    public String name() {
        return "LlmInt8";
    }

    @Override
    public MethodInfo info() {
        return new MethodInfo("input channels above a threshold stay in high precision, split for the input at hand", "arXiv 2208.07339",
                MethodInfo.Data.NONE);
    }

    @Override
    public String whyNoCodes(MethodOptions options) {
        return options.schemes().activations().isEmpty() ? "" : "LLM.int8() splits every input while the model runs";
    }

    @Override
    public List<Stage> recipe(MethodOptions options) {
        double threshold = options.number("threshold", 6.0);
        if (!(threshold > 0)) {
            throw BadInput.of(BadInput.Common.CONFIG, "special.threshold is %s; it has to be above zero", threshold);
        }
        return List.of(new Decomposition((float) threshold, options.flag("refresh_weight", false)));
    }

    /** Channels of which no |value| reaches the threshold, in order. */
    public static int[] below(Matrix x, float threshold) {
        boolean[] above = new boolean[x.cols()];
        for (int r = 0; r < x.rows(); r++) {
            int at = r * x.cols();
            for (int c = 0; c < above.length; c++) {
                above[c] |= Math.abs(x.data()[at + c]) >= threshold;
            }
        }
        return IntStream.range(0, above.length).filter(c -> !above[c]).toArray();
    }

    private record Decomposition(float threshold, boolean refresh) implements Keep {

        @Override
        public String name() {
            return "LLM.int8() decomposition";
        }

        @Override
        public void check(RunConfig config) {
            if (config.schemes().hasStaticActivations()) {
                throw new BadInput(BadInput.Common.CONFIG, "LLM.int8() splits every input by itself, so activations cannot be static; set act.static: false");
            }
        }

        @Override
        public void apply(BlockWork work) {
            for (Linear layer : work.block().linears()) {
                work.weightQuantizer(layer).ifPresent(w -> work.activationQuantizer(layer).ifPresentOrElse(
                        a -> work.install(layer, new Splitting(layer, w, a, threshold, refresh)),
                        () -> work.note(layer, "weight-only: nothing to split by")));
            }
        }
    }

    /** Rounds an input's quiet channels and keeps the layer's weight rounding in step. */
    private static final class Splitting implements ActivationRounding {

        private final Linear layer;
        private final Quantizer weight;
        private final Quantizer activation;
        private final float threshold;
        private final boolean refresh;
        private int[] split;

        Splitting(Linear layer, Quantizer weight, Quantizer activation, float threshold, boolean refresh) {
            this.layer = layer;
            this.weight = weight;
            this.activation = activation;
            this.threshold = threshold;
            this.refresh = refresh;
        }

        @Override
        public Matrix fakeQuantize(Matrix x, int batch, int tokens) {
            int[] quiet = below(x, threshold);
            if (split == null || refresh && !Arrays.equals(split, quiet)) {
                split = quiet;
                layer.setWeightRounding(quiet.length == layer.in() ? WeightRoundings.dynamic(weight) : WeightRoundings.keepingColumns(weight, quiet));
            }
            return quiet.length == 0 ? x : ActivationRoundings.keepingFeatures(activation, quiet).fakeQuantize(x, batch, tokens);
        }
    }
}
