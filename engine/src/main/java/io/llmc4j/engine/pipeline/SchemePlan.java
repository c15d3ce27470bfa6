package io.llmc4j.engine.pipeline;

import io.llmc4j.engine.quant.QuantScheme;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Which scheme each linear layer has.
 *
 * @param weight     of layers without a setting of their own; empty: nothing is quantized (pruning)
 * @param activation empty: weight-only
 * @param mixed      settings for some layers, in order
 */
public record SchemePlan(Optional<QuantScheme> weight, Optional<QuantScheme> activation, List<MixedBits> mixed, IgnoredLayers ignored) {

    public SchemePlan {
        mixed = List.copyOf(mixed);
    }

    public static SchemePlan of(QuantScheme weight) {
        return new SchemePlan(Optional.of(weight), Optional.empty(), List.of(), IgnoredLayers.NONE);
    }

    public static SchemePlan of(QuantScheme weight, QuantScheme activation) {
        return new SchemePlan(Optional.of(weight), Optional.of(activation), List.of(), IgnoredLayers.NONE);
    }

    /**
     * The scheme of one layer. What is excluded still takes part in searches, except where {@code excludeFromStart}.
     *
     * @param name     within its block
     * @param fullName in the model
     */
    public LayerScheme layer(int block, String name, String fullName, boolean excludeFromStart) {
        LayerScheme scheme = matching(block, name).map(m -> m.quantize() ? new LayerScheme(m.weight(), m.activation(), true) : LayerScheme.FLOAT)
                .orElseGet(() -> new LayerScheme(weight, activation, weight.isPresent()));
        if (!ignored.contains(block, name, fullName)) {
            return scheme;
        }
        return excludeFromStart ? LayerScheme.FLOAT : new LayerScheme(scheme.weight(), scheme.activation(), false);
    }

    private Optional<MixedBits> matching(int block, String name) {
        // A later setting takes over the name of an earlier one, at the earlier one's place in the order.
        Map<String, MixedBits> byName = new LinkedHashMap<>();
        for (MixedBits m : mixed) {
            m.names(block).forEach(n -> byName.put(n, m));
        }
        return byName.entrySet().stream().filter(e -> name.contains(e.getKey())).map(Map.Entry::getValue).findFirst();
    }

    /** All schemes of weights that any layer may have. */
    public List<QuantScheme> weights() {
        return java.util.stream.Stream.concat(weight.stream(), mixed.stream().flatMap(m -> m.weight().stream())).distinct().toList();
    }

    /** All schemes of activations that any layer may have. */
    public List<QuantScheme> activations() {
        return java.util.stream.Stream.concat(activation.stream(), mixed.stream().flatMap(m -> m.activation().stream())).distinct().toList();
    }

    /** Whether any layer's activation ranges come from calibration. */
    public boolean hasStaticActivations() {
        return activations().stream().anyMatch(QuantScheme::isStatic);
    }
}
