package io.llmc4j.engine.pipeline;

import java.util.Set;

/**
 * Layers that stay in high precision ({@code ignored_layers}, spec 2.9).
 *
 * @param blocks    block indices in which {@code names} are excluded
 * @param names     names within a block, "mlp.down_proj"
 * @param fullNames "model.layers.0.mlp.down_proj"
 */
public record IgnoredLayers(Set<Integer> blocks, Set<String> names, Set<String> fullNames) {

    public static final IgnoredLayers NONE = new IgnoredLayers(Set.of(), Set.of(), Set.of());

    public IgnoredLayers {
        blocks = Set.copyOf(blocks);
        names = Set.copyOf(names);
        fullNames = Set.copyOf(fullNames);
    }

    public boolean contains(int block, String name, String fullName) {
        return blocks.contains(block) && names.contains(name) || fullNames.contains(fullName);
    }

    public boolean isEmpty() {
        return fullNames.isEmpty() && (blocks.isEmpty() || names.isEmpty());
    }
}
