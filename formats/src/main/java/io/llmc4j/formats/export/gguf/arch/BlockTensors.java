package io.llmc4j.formats.export.gguf.arch;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.model.AttentionSpec;
import io.llmc4j.engine.model.AttentionSpec.QkNorm;
import io.llmc4j.engine.model.AttentionSpec.Rotary;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.Norm;
import io.llmc4j.engine.model.NormSlot;
import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.formats.export.gguf.TensorPart;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.function.Supplier;

/** The tensors of one block by name, from its layers, norms and vectors. */
public final class BlockTensors {

    /** Of full name; parts follow each other row by row. */
    public record Named(String name, Shape shape, List<TensorPart> parts) { }

    /**
     * What of a layer is written.
     *
     * @param before the weight before it was rounded to the codes
     */
    public record Written(Matrix weight, Optional<QuantizedMatrix> codes, Supplier<Matrix> before) { }

    private final GgufArch arch;
    private final Block block;
    private final int number;
    private final Function<Linear, Written> weights;
    private final Map<String, Named> out = new TreeMap<>();

    private BlockTensors(GgufArch arch, Block block, int number, Function<Linear, Written> weights) {
        this.arch = arch;
        this.block = block;
        this.number = number;
        this.weights = weights;
    }

    /** In order of names. {@code number}: of the block in the file, which is another than the block's own where others were left out. */
    public static List<Named> of(GgufArch arch, Block block, int number, Function<Linear, Written> weights) {
        BlockTensors t = new BlockTensors(arch, block, number, weights);
        t.layers();
        t.norms();
        t.vectors();
        return List.copyOf(t.out.values());
    }

    private void layers() {
        Map<Role, List<Linear>> byRole = new TreeMap<>();
        for (Linear l : block.linears()) {
            byRole.computeIfAbsent(l.role(), r -> new ArrayList<>()).add(l);
            if (l.inputRotation().isPresent()) {
                throw BadInput.of(BadInput.Common.FORMAT, "GGUF: the input of %s in block %d is rotated while the model runs, which llama.cpp does not do; "
                        + "use a rotation that folds into the weights", l.name(), block.index());
            }
            if (l.bias().length > 0 && !Biases.of(arch).contains(l.role())) {
                throw BadInput.of(BadInput.Common.FORMAT, "GGUF: %s in block %d has a bias, for which llama.cpp's %s has no place", l.name(), block.index(),
                        arch.title());
            }
        }
        if (arch.has(Trait.FUSED_QKV)) {
            fused(TensorNames.QKV, byRole.remove(Role.Q), byRole.remove(Role.K), byRole.remove(Role.V));
        }
        if (arch.has(Trait.FUSED_GATE_UP) && byRole.containsKey(Role.GATE)) {
            fused("ffn_up", byRole.remove(Role.GATE), byRole.remove(Role.UP));
        }
        if (arch.has(Trait.LATENT) && byRole.containsKey(Role.KV_B)) {
            latentHeads(byRole.remove(Role.KV_B).getFirst());
        }
        byRole.forEach((role, list) -> {
            if (role.isExpert()) {
                experts(role, list);
            } else {
                single(role, list);
            }
        });
    }

    private void single(Role role, List<Linear> list) {
        if (list.size() != 1) {
            throw BadInput.of(BadInput.Common.FORMAT, "GGUF: block %d has %d layers with the role %s", block.index(), list.size(), role);
        }
        Linear l = list.getFirst();
        // A gate of one row is a vector there.
        Shape shape = role == Role.SHARED_EXPERT_GATE ? new Shape(l.in()) : new Shape(l.out(), l.in());
        weight(TensorNames.of(role), shape, List.of(part(l)));
        if (l.bias().length > 0) {
            bias(TensorNames.of(role), new Shape(l.out()), List.of(bias(l)));
        }
    }

    @SafeVarargs
    private void fused(String name, List<Linear>... roles) {
        List<Linear> all = new ArrayList<>();
        for (List<Linear> r : roles) {
            all.addAll(r);
        }
        int rows = all.stream().mapToInt(Linear::out).sum();
        weight(name, new Shape(rows, all.getFirst().in()), all.stream().map(this::part).toList());
        if (all.stream().anyMatch(l -> l.bias().length > 0)) {
            bias(name, new Shape(rows), all.stream().map(l -> l.bias().length > 0 ? bias(l) : new float[l.out()]).toList());
        }
    }

    private void experts(Role role, List<Linear> list) {
        list.sort((a, b) -> Integer.compare(a.expert(), b.expert()));
        Linear first = list.getFirst();
        weight(TensorNames.of(role), new Shape(list.size(), first.out(), first.in()), list.stream().map(this::part).toList());
        if (first.bias().length > 0) {
            bias(TensorNames.of(role), new Shape(list.size(), first.out()), list.stream().map(Linear::bias).toList());
        }
    }

    /** Latent attention keeps, for each head, the key half transposed (it is absorbed into the query) and the value half. */
    private void latentHeads(Linear l) {
        AttentionSpec a = block.spec().attention();
        int nope = a.latent().orElseThrow().nopeDim();
        int value = a.valueDim();
        int rank = l.in();
        List<TensorPart> keys = new ArrayList<>();
        List<TensorPart> values = new ArrayList<>();
        for (int h = 0; h < a.heads(); h++) {
            int at = h * (nope + value);
            keys.add(TensorPart.of(rank, nope, () -> weights.apply(l).weight().rows(at, at + nope).transpose()));
            values.add(TensorPart.of(value, rank, () -> weights.apply(l).weight().rows(at + nope, at + nope + value)));
        }
        weight(TensorNames.K_B, new Shape(a.heads(), rank, nope), keys);
        weight(TensorNames.V_B, new Shape(a.heads(), value, rank), values);
    }

    private TensorPart part(Linear l) {
        Optional<int[]> order = order(l.role(), l.out());
        Written w = weights.apply(l);
        return TensorPart.of(l.out(), l.in(), () -> ordered(w.weight(), order), order.isPresent() ? w.codes().map(q -> permuted(q, order.get())) : w.codes(),
                () -> ordered(w.before().get(), order));
    }

    private static Matrix ordered(Matrix m, Optional<int[]> order) {
        return order.map(o -> RotaryOrder.permute(m, o)).orElse(m);
    }

    private static QuantizedMatrix permuted(QuantizedMatrix q, int[] from) {
        byte[] codes = new byte[q.codes().length];
        int ranges = q.scales().length / q.rows();
        boolean byRow = q.scales().length % q.rows() == 0 && ranges > 0;
        float[] scales = q.scales().clone();
        float[] zeros = q.zeros().clone();
        for (int r = 0; r < from.length; r++) {
            System.arraycopy(q.codes(), from[r] * q.cols(), codes, r * q.cols(), q.cols());
            if (byRow) {
                System.arraycopy(q.scales(), from[r] * ranges, scales, r * ranges, ranges);
                if (zeros.length > 0) {
                    System.arraycopy(q.zeros(), from[r] * ranges, zeros, r * ranges, ranges);
                }
            }
        }
        return new QuantizedMatrix(q.scheme(), q.rows(), q.cols(), codes, scales, zeros, q.columnGroup(), q.tensorScale());
    }

    private float[] bias(Linear l) {
        return order(l.role(), l.out()).map(o -> RotaryOrder.permute(l.bias(), o)).orElse(l.bias());
    }

    /** The file's order of query and key rows, where it is another one. */
    private Optional<int[]> order(Role role, int rows) {
        boolean permutes = arch.rows() == GgufArch.RotaryRows.PERMUTED && (role == Role.Q || role == Role.K)
                && block.spec().attention().position() instanceof Rotary r && !r.interleaved();
        // A layer without positions is permuted like the others: the same order of its queries and keys changes nothing.
        permutes |= arch.has(Trait.FOURTH_WITHOUT_POSITIONS) && (role == Role.Q || role == Role.K);
        if (!permutes) {
            return Optional.empty();
        }
        int headDim = block.spec().attention().headDim();
        int dims = block.spec().attention().position() instanceof Rotary r ? r.dims() : headDim;
        return Optional.of(RotaryOrder.rows(rows, headDim, dims, true));
    }

    private void norms() {
        boolean two = block.norm(NormSlot.ATTENTION_INPUT).isPresent() && block.norm(NormSlot.MLP_INPUT).isPresent();
        block.norms().forEach((slot, norm) -> {
            String name = TensorNames.of(slot, arch, two).orElseThrow(() -> BadInput.of(BadInput.Common.FORMAT,
                    "GGUF: llama.cpp's %s has no norm in the place %s of block %d", arch.title(), slot, block.index()));
            boolean eachHead = (slot == NormSlot.Q || slot == NormSlot.K) && block.spec().attention().qkNorm() == QkNorm.EACH_HEAD;
            int headDim = block.spec().attention().headDim();
            Shape shape = eachHead ? new Shape(norm.weight().length / headDim, headDim) : new Shape(norm.weight().length);
            checkKind(slot, norm);
            weight(name, shape, List.of(eachHead ? TensorPart.of(new Matrix(norm.weight().length / headDim, headDim, norm.weight()))
                    : TensorPart.of(norm.weight())));
            if (norm.bias().length > 0) {
                bias(name, new Shape(norm.bias().length), List.of(norm.bias()));
            }
        });
    }

    private void checkKind(NormSlot slot, Norm norm) {
        if (norm.kind() != arch.norm()) {
            throw BadInput.of(BadInput.Common.FORMAT, "GGUF: the norm %s of block %d is %s now; llama.cpp's %s computes %s", norm.name(), block.index(),
                    norm.kind(), arch.title(), arch.norm());
        }
    }

    private void vectors() {
        block.vectors().forEach((key, v) -> {
            switch (key) {
                case "sinks" -> weight(TensorNames.SINKS, new Shape(v.length), List.of(TensorPart.of(v)));
                case "router_correction" -> bias(TensorNames.CORRECTION, new Shape(v.length), List.of(v));
                default -> throw BadInput.of(BadInput.Common.FORMAT, "GGUF: block %d has the vector %s, for which there is no tensor", block.index(), key);
            }
        });
    }

    private void weight(String name, Shape shape, List<TensorPart> parts) {
        put(name + ".weight", shape, parts);
    }

    private void bias(String name, Shape shape, List<float[]> parts) {
        put(name + ".bias", shape, parts.stream().map(TensorPart::of).toList());
    }

    private void put(String name, Shape shape, List<TensorPart> parts) {
        String full = TensorNames.inBlock(number, name);
        out.put(full, new Named(full, shape, parts));
    }
}
