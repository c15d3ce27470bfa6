package io.llmc4j.formats.hf;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.model.Norm;
import io.llmc4j.engine.model.NormSlot;
import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.model.Subset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Writes a {@link BlockLayout} down in the order of the checkpoint's modules. */
public final class BlockBuilder {

    /** A stretch of a fused module: its tag ("q"), role and rows. */
    public record Piece(String tag, Role role, RowMap rows) { }

    private final int index;
    private final String prefix;
    private boolean inputMajor;
    private final List<ModuleLayout> modules = new ArrayList<>();
    private final Map<NormSlot, NormLayout> norms = new LinkedHashMap<>();
    private final Map<String, BlockLayout.VectorLayout> vectors = new LinkedHashMap<>();
    private final List<Subset> subsets = new ArrayList<>();
    private final List<String> buffers = new ArrayList<>();

    public BlockBuilder(int index, String prefix) {
        this.index = index;
        this.prefix = prefix;
    }

    /** From here on weights are stored [in, out]. */
    public BlockBuilder inputMajor() {
        inputMajor = true;
        return this;
    }

    public BlockBuilder linear(String name, Role role, int out, int in) {
        return linear(name, role, -1, out, in);
    }

    public BlockBuilder linear(String name, Role role, int expert, int out, int in) {
        if (out < 1 || in < 1) {
            throw BadInput.of(BadInput.Common.MODEL, "config.json: %s of block %d would be a matrix of [%d, %d]; sizes and numbers of experts are at least 1", name, index, out, in);
        }
        modules.add(new ModuleLayout(name, name + ".weight", name + ".bias", -1, inputMajor, out, in, role.isRouter(),
                List.of(new ModuleLayout.Part(name, role, expert, RowMap.contiguous(0, out)))));
        return this;
    }

    /** Several layers in one tensor; they are named "name[tag]". */
    public BlockBuilder fused(String name, int in, Piece... pieces) {
        int out = Arrays.stream(pieces).mapToInt(p -> p.rows().rows()).sum();
        modules.add(new ModuleLayout(name, name + ".weight", name + ".bias", -1, inputMajor, out, in, false, parts(name, -1, pieces)));
        return this;
    }

    /** One expert of a tensor that stacks all of them, [experts, in, out], with bias [experts, out]. */
    public BlockBuilder stacked(String name, String weight, String bias, int expert, int in, Piece... pieces) {
        int out = Arrays.stream(pieces).mapToInt(p -> p.rows().rows()).sum();
        List<ModuleLayout.Part> parts = pieces.length == 1
                ? List.of(new ModuleLayout.Part(name, pieces[0].role(), expert, pieces[0].rows())) : parts(name, expert, pieces);
        modules.add(new ModuleLayout(name, weight, bias, expert, true, out, in, false, parts));
        return this;
    }

    private static List<ModuleLayout.Part> parts(String name, int expert, Piece... pieces) {
        return Arrays.stream(pieces).map(p -> new ModuleLayout.Part(name + "[" + p.tag() + "]", p.role(), expert, p.rows())).toList();
    }

    public BlockBuilder rms(NormSlot slot, String name, int features, double eps) {
        return norm(slot, new NormLayout(name, Norm.Kind.RMS, (float) eps, features, List.of(name + ".weight"), "", false));
    }

    public BlockBuilder layerNorm(NormSlot slot, String name, int features, double eps) {
        return norm(slot, new NormLayout(name, Norm.Kind.LAYER, (float) eps, features, List.of(name + ".weight"), name + ".bias", false));
    }

    public BlockBuilder norm(NormSlot slot, NormLayout layout) {
        norms.put(slot, layout);
        return this;
    }

    public BlockBuilder vector(String key, String tensor, int length) {
        vectors.put(key, new BlockLayout.VectorLayout(tensor, length));
        return this;
    }

    /** A stored tensor that a loader recomputes. */
    public BlockBuilder buffer(String... names) {
        buffers.addAll(List.of(names));
        return this;
    }

    public BlockBuilder subset(Subset s) {
        subsets.add(s);
        return this;
    }

    /** Layers after a norm that feeds nothing else. */
    public BlockBuilder afterNorm(String norm, Subset.Inspect inspect, boolean isMlp, String... layers) {
        return subset(new Subset(List.of(layers), Optional.of(new Subset.PreviousNorm(norm)), inspect, isMlp, true, true));
    }

    /** Layers whose input comes from nowhere that a scale could go. */
    public BlockBuilder alone(Subset.Inspect inspect, boolean isMlp, String... layers) {
        return subset(new Subset(List.of(layers), Optional.empty(), inspect, isMlp, false, true));
    }

    /** A layer after a linear layer whose output reaches it without a non-linearity. */
    public BlockBuilder afterLinear(String previous, boolean isMlp, String layer) {
        return subset(new Subset(List.of(layer), Optional.of(new Subset.PreviousLinear(previous)), Subset.Inspect.LINEAR, isMlp, true, true));
    }

    public BlockLayout build() {
        return new BlockLayout(index, prefix, modules, norms, vectors, subsets, buffers);
    }
}
