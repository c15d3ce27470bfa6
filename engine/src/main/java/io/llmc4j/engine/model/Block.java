package io.llmc4j.engine.model;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * One transformer block with its weights at hand: linear layers by name in module order, norms by slot, the subsets that methods walk.
 * Mutable through its layers; the fold owns it until the sink has taken it.
 */
public final class Block {

    private final int index;
    private final LayerSpec spec;
    private final Map<String, Linear> linears = new LinkedHashMap<>();
    private final Map<NormSlot, Norm> norms = new EnumMap<>(NormSlot.class);
    private final Map<String, float[]> vectors = new LinkedHashMap<>();
    private final List<Subset> subsets;
    private InnerRounding inner;

    /** @param vectors parameters that are neither linear nor norm: "sinks" [heads], "router_correction" [experts] */
    public Block(int index, LayerSpec spec, List<Linear> linears, Map<NormSlot, Norm> norms, Map<String, float[]> vectors, List<Subset> subsets) {
        this.index = index;
        this.spec = spec;
        for (Linear l : linears) {
            if (this.linears.put(l.name(), l) != null) {
                throw new IllegalArgumentException("two layers named " + l.name());
            }
        }
        this.norms.putAll(norms);
        this.vectors.putAll(vectors);
        this.subsets = List.copyOf(subsets);
    }

    public int index() {
        return index;
    }

    public LayerSpec spec() {
        return spec;
    }

    /** In module order. */
    public List<Linear> linears() {
        return new ArrayList<>(linears.values());
    }

    public Linear linear(String name) {
        Linear l = linears.get(name);
        if (l == null) {
            throw new IllegalArgumentException("block " + index + " has no layer " + name + "; it has " + linears.keySet());
        }
        return l;
    }

    /** The only layer with this role outside experts, or empty. */
    public Optional<Linear> linear(Role role) {
        return linears.values().stream().filter(l -> l.role() == role && l.expert() < 0).findFirst();
    }

    /** The layer with this role of one expert. */
    public Linear linear(Role role, int expert) {
        return linears.values().stream().filter(l -> l.role() == role && l.expert() == expert).findFirst().orElseThrow();
    }

    public Map<NormSlot, Norm> norms() {
        return norms;
    }

    public Optional<Norm> norm(NormSlot slot) {
        return Optional.ofNullable(norms.get(slot));
    }

    public Norm norm(String name) {
        return norms.values().stream().filter(n -> n.name().equals(name)).findFirst().orElseThrow();
    }

    public Map<String, float[]> vectors() {
        return vectors;
    }

    public void setInnerRounding(InnerRounding rounding) {
        inner = rounding;
    }

    /** What is rounded between the linear layers: from when all of them are quantized, as long as they are. */
    Optional<InnerRounding> innerRounding() {
        return inner != null && linears.values().stream().allMatch(Linear::quantized) ? Optional.of(inner) : Optional.empty();
    }

    public List<Subset> subsets() {
        return subsets;
    }
}
