package io.llmc4j.engine.method;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.ForwardHooks;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.quant.ActivationRoundings;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.WeightRoundings;
import io.llmc4j.engine.tensor.Matrix;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * QUIK (arXiv 2310.09259; spec 3.11): the input channels with the largest activations stay in high precision, in the weight and in the
 * activations; ranges of the rest do not see them. Maxima come from one pass of the float model.
 */
public final class Quik implements Method {

    @Override
    public String name() {
        return "QUIK";
    }

    @Override
    public MethodInfo info() {
        return new MethodInfo("input channels with the largest activations stay in high precision", "arXiv 2310.09259", MethodInfo.Data.ALWAYS);
    }

    @Override
    public String whyNoCodes(MethodOptions options) {
        return options.integer("fp_features", 256) == 0 ? "" : "QUIK keeps input channels in float, of weights and of activations";
    }

    @Override
    public List<Stage> recipe(MethodOptions options) {
        int features = options.integer("fp_features", 256);
        double threshold = options.number("fp_threshold", 0);
        if (features < 0 || !(threshold >= 0)) {
            throw BadInput.of(BadInput.Common.CONFIG, "special.fp_features is %d and special.fp_threshold is %s; neither may be negative", features, threshold);
        }
        // last_fc_bit is accepted and without effect: LLMC looks it up in the wrong place (ODD-53).
        return List.of(new Channels(features, threshold, options.flag("fp_relative", false)));
    }

    /**
     * The channels that are quantized, by rising maximum (equal ones by index); all in order when nothing is an outlier. Channel order
     * decides which columns share a group.
     *
     * @param maxima largest |x| of each channel
     * @param kept   channels that stay in high precision
     */
    public static int[] quantized(float[] maxima, int kept, double threshold) {
        float largest = 0;
        for (float m : maxima) {
            largest = Math.max(largest, m);
        }
        if (kept == 0 || largest <= threshold) {
            return IntStream.range(0, maxima.length).toArray();
        }
        Integer[] order = IntStream.range(0, maxima.length).boxed().toArray(Integer[]::new);
        Arrays.sort(order, (a, b) -> Float.compare(maxima[a], maxima[b]));
        return Arrays.stream(order, 0, maxima.length - kept).mapToInt(Integer::intValue).toArray();
    }

    private static final class Channels implements Keep {

        private final int features;
        private final double threshold;
        private final boolean relative;
        private final Map<String, float[]> maxima = new HashMap<>();

        Channels(int features, double threshold, boolean relative) {
            this.features = features;
            this.threshold = threshold;
            this.relative = relative;
        }

        @Override
        public String name() {
            return "QUIK channels";
        }

        @Override
        public void check(RunConfig config) {
            if (config.schemes().hasStaticActivations()) {
                throw new BadInput(BadInput.Common.CONFIG, "QUIK rounds some input channels and not others, so activations cannot be static; set act.static: false");
            }
        }

        private int kept(int in, int hidden) {
            return relative ? in / hidden * features : features;
        }

        @Override
        public void prepare(ModelWork model) {
            int hidden = model.spec().hiddenSize();
            Misfits.refuse(model, (layer, scheme) -> {
                int rest = layer.in() - kept(layer.in(), hidden);
                QuantScheme s = scheme.weight().orElseThrow();
                if (rest <= 0) {
                    return Optional.of("in_features " + layer.in() + ", all of them kept");
                }
                boolean groups = s.granularity().kind() == Granularity.Kind.PER_GROUP;
                return groups && rest % s.granularity().size() != 0 ? Optional.of(rest + " channels left for groups of " + s.granularity().size()) : Optional.empty();
            }, "QUIK has to leave channels to quantize, per group a multiple of group_size", "use another fp_features");
            boolean allTokens = model.config().experts().calibrateAll();
            boolean experts = model.spec().layers().stream().anyMatch(l -> l.feedForward().experts().isPresent());
            if (experts && !allTokens) {
                model.config().experts().refuseOtherTokens(name(), "looks at one pass of the float model");
            }
            model.forEachBlock(new ModelWork.Visitor() {
                @Override
                public ForwardHooks hooks(Block block) {
                    return new ForwardHooks() {
                        @Override
                        public boolean allTokensToAllExperts() {
                            return allTokens;
                        }

                        @Override
                        public void linearInput(Linear layer, Matrix x, int batch, int tokens) {
                            see(maxima.computeIfAbsent(key(block, layer), k -> new float[layer.in()]), x);
                        }
                    };
                }
            });
        }

        private static String key(Block block, Linear layer) {
            return block.index() + " " + layer.name();
        }

        private static void see(float[] largest, Matrix x) {
            for (int r = 0; r < x.rows(); r++) {
                int at = r * x.cols();
                for (int c = 0; c < largest.length; c++) {
                    largest[c] = Math.max(largest[c], Math.abs(x.data()[at + c]));
                }
            }
        }

        @Override
        public void apply(BlockWork work) {
            for (Linear layer : work.block().linears()) {
                float[] largest = maxima.getOrDefault(key(work.block(), layer), new float[layer.in()]);
                int[] picked = quantized(largest, kept(layer.in(), work.decoder().spec().hiddenSize()), threshold);
                work.weightQuantizer(layer).ifPresent(q -> {
                    if (picked.length < layer.in()) {
                        work.install(layer, WeightRoundings.keepingColumns(q, picked));
                        work.note(layer, layer.in() - picked.length + " channels kept");
                        work.activationQuantizer(layer).ifPresent(a -> work.install(layer, ActivationRoundings.keepingFeatures(a, picked)));
                    }
                });
            }
        }
    }
}
