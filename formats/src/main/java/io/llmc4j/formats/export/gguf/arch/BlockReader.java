package io.llmc4j.formats.export.gguf.arch;

import io.llmc4j.engine.model.AttentionSpec;
import io.llmc4j.engine.model.AttentionSpec.QkNorm;
import io.llmc4j.engine.model.AttentionSpec.Rotary;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.FeedForwardSpec;
import io.llmc4j.engine.model.FeedForwardSpec.Experts;
import io.llmc4j.engine.model.LayerSpec;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.Norm;
import io.llmc4j.engine.model.NormSlot;
import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.model.Subset;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.formats.export.gguf.StoredTensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * One block out of a file's tensors. Layers have the file's names ("attn_q", "ffn_up_exps.3"); queries and keys are in the order of the
 * family's checkpoints again; weights are decoded when they are asked for.
 */
public final class BlockReader {

    private final GgufArch arch;
    private final StoredTensors tensors;
    private final float eps;
    private final int hidden;
    private final int index;
    private final LayerSpec spec;
    private final List<Linear> linears = new ArrayList<>();
    private final Map<NormSlot, Norm> norms = new EnumMap<>(NormSlot.class);
    private final Map<String, float[]> vectors = new LinkedHashMap<>();

    private BlockReader(GgufArch arch, StoredTensors tensors, float eps, int hidden, int index, LayerSpec spec) {
        this.arch = arch;
        this.tensors = tensors;
        this.eps = eps;
        this.hidden = hidden;
        this.index = index;
        this.spec = spec;
    }

    public static Block read(GgufArch arch, StoredTensors tensors, float eps, int hidden, int index, LayerSpec spec) {
        BlockReader r = new BlockReader(arch, tensors, eps, hidden, index, spec);
        r.attention(spec.attention());
        r.feedForward(spec.feedForward());
        r.norms();
        r.vectors();
        return new Block(index, spec, r.linears, r.norms, r.vectors, r.subsets());
    }

    private String full(String name) {
        return TensorNames.inBlock(index, name);
    }

    private void attention(AttentionSpec a) {
        int q = a.heads() * a.headDim();
        int k = a.kvHeads() * a.headDim();
        int v = a.kvHeads() * a.valueDim();
        if (a.latent().isPresent()) {
            latent(a, a.latent().get());
        } else if (tensors.has(full(TensorNames.QKV + ".weight"))) {
            slice(TensorNames.QKV, "q", Role.Q, 0, q, q + k + v, hidden);
            slice(TensorNames.QKV, "k", Role.K, q, k, q + k + v, hidden);
            slice(TensorNames.QKV, "v", Role.V, q + k, v, q + k + v, hidden);
        } else {
            linear(Role.Q, q, hidden);
            linear(Role.K, k, hidden);
            linear(Role.V, v, hidden);
        }
        linear(Role.O, hidden, a.heads() * a.valueDim());
    }

    private void latent(AttentionSpec a, AttentionSpec.Latent l) {
        if (l.qRank() > 0) {
            linear(Role.Q_A, l.qRank(), hidden);
            linear(Role.Q_B, a.heads() * a.headDim(), l.qRank());
        } else {
            linear(Role.Q, a.heads() * a.headDim(), hidden);
        }
        linear(Role.KV_A, l.kvRank() + l.ropeDim(), hidden);
        int each = l.nopeDim() + a.valueDim();
        if (tensors.has(full("attn_kv_b.weight"))) {
            linear(Role.KV_B, a.heads() * each, l.kvRank());
            return;
        }
        tensors.expect(full(TensorNames.K_B + ".weight"), a.heads(), l.kvRank(), l.nopeDim());
        tensors.expect(full(TensorNames.V_B + ".weight"), a.heads(), a.valueDim(), l.kvRank());
        linears.add(new Linear("attn_kv_b", Role.KV_B, -1, a.heads() * each, l.kvRank(), () -> {
            Matrix m = new Matrix(a.heads() * each, l.kvRank());
            for (int h = 0; h < a.heads(); h++) {
                Matrix keys = tensors.rows(full(TensorNames.K_B + ".weight"), (long) h * l.kvRank(), l.kvRank(), l.nopeDim()).transpose();
                Matrix values = tensors.rows(full(TensorNames.V_B + ".weight"), (long) h * a.valueDim(), a.valueDim(), l.kvRank());
                System.arraycopy(keys.data(), 0, m.data(), h * each * l.kvRank(), keys.data().length);
                System.arraycopy(values.data(), 0, m.data(), (h * each + l.nopeDim()) * l.kvRank(), values.data().length);
            }
            return m;
        }, new float[0]));
    }

    private void feedForward(FeedForwardSpec f) {
        if (f.experts().isPresent()) {
            experts(f.experts().get());
            return;
        }
        int width = f.intermediate();
        if (f.gated() && !tensors.has(full("ffn_gate.weight"))) {
            slice("ffn_up", "gate", Role.GATE, 0, width, 2 * width, hidden);
            slice("ffn_up", "up", Role.UP, width, width, 2 * width, hidden);
        } else {
            if (f.gated()) {
                linear(Role.GATE, width, hidden);
            }
            linear(Role.UP, width, hidden);
        }
        linear(Role.DOWN, hidden, width);
    }

    private void experts(Experts e) {
        linear(Role.ROUTER, e.count(), hidden);
        stacked(Role.EXPERT_GATE, e.count(), e.intermediate(), hidden);
        stacked(Role.EXPERT_UP, e.count(), e.intermediate(), hidden);
        stacked(Role.EXPERT_DOWN, e.count(), hidden, e.intermediate());
        if (e.sharedIntermediate() > 0) {
            linear(Role.SHARED_GATE, e.sharedIntermediate(), hidden);
            linear(Role.SHARED_UP, e.sharedIntermediate(), hidden);
            linear(Role.SHARED_DOWN, hidden, e.sharedIntermediate());
        }
        if (e.sharedGate()) {
            String name = TensorNames.of(Role.SHARED_EXPERT_GATE);
            tensors.expect(full(name + ".weight"), hidden);
            linears.add(new Linear(name, Role.SHARED_EXPERT_GATE, -1, 1, hidden, () -> tensors.rows(full(name + ".weight"), 0, 1, hidden), new float[0]));
        }
    }

    private void linear(Role role, int out, int in) {
        String name = TensorNames.of(role);
        tensors.expect(full(name + ".weight"), out, in);
        Optional<int[]> order = checkpointOrder(role, out);
        Supplier<Matrix> weight = () -> {
            Matrix m = tensors.rows(full(name + ".weight"), 0, out, in);
            return order.map(o -> RotaryOrder.permute(m, o)).orElse(m);
        };
        float[] bias = tensors.vector(full(name + ".bias"), out);
        linears.add(new Linear(name, role, -1, out, in, weight, bias.length == 0 ? bias : order.map(o -> RotaryOrder.permute(bias, o)).orElse(bias)));
    }

    private Optional<int[]> checkpointOrder(Role role, int rows) {
        boolean permuted = arch.rows() == GgufArch.RotaryRows.PERMUTED && (role == Role.Q || role == Role.K);
        int headDim = spec.attention().headDim();
        int dims = spec.attention().position() instanceof Rotary r ? r.dims() : headDim;
        return permuted ? Optional.of(RotaryOrder.rows(rows, headDim, dims, false)) : Optional.empty();
    }

    private void slice(String name, String tag, Role role, int first, int rows, int all, int in) {
        tensors.expect(full(name + ".weight"), all, in);
        float[] bias = tensors.vector(full(name + ".bias"), all);
        linears.add(new Linear(name + "[" + tag + "]", role, -1, rows, in, () -> tensors.rows(full(name + ".weight"), first, rows, in),
                bias.length == 0 ? bias : Arrays.copyOfRange(bias, first, first + rows)));
    }

    private void stacked(Role role, int count, int out, int in) {
        String name = TensorNames.of(role);
        tensors.expect(full(name + ".weight"), count, out, in);
        float[] bias = tensors.vector(full(name + ".bias"), count * out);
        for (int e = 0; e < count; e++) {
            long first = (long) e * out;
            linears.add(new Linear(name + "." + e, role, e, out, in, () -> tensors.rows(full(name + ".weight"), first, out, in),
                    bias.length == 0 ? bias : Arrays.copyOfRange(bias, e * out, (e + 1) * out)));
        }
    }

    private void norms() {
        boolean two = tensors.has(full("attn_norm_2.weight"));
        for (NormSlot slot : NormSlot.values()) {
            TensorNames.of(slot, arch, two).filter(n -> tensors.has(full(n + ".weight"))).filter(n -> belongs(slot, two)).ifPresent(n -> {
                float[] weight = tensors.vector(full(n + ".weight"), features(slot));
                norms.put(slot, new Norm(n, arch.norm(), eps, weight, tensors.vector(full(n + ".bias"), features(slot))));
            });
        }
    }

    private int features(NormSlot slot) {
        AttentionSpec a = spec.attention();
        return switch (slot) {
            case Q -> a.qkNorm() == QkNorm.SHARED_BY_HEADS ? a.headDim() : a.heads() * a.headDim();
            case K -> a.qkNorm() == QkNorm.SHARED_BY_HEADS ? a.headDim() : a.kvHeads() * a.headDim();
            case Q_LATENT -> a.latent().map(AttentionSpec.Latent::qRank).orElse(0);
            case KV_LATENT -> a.latent().map(AttentionSpec.Latent::kvRank).orElse(0);
            default -> hidden;
        };
    }

    /** Names that mean another slot elsewhere. */
    private boolean belongs(NormSlot slot, boolean two) {
        return switch (slot) {
            case MLP_INPUT -> arch != GgufArch.FALCON || two;
            case ATTENTION_OUTPUT -> arch != GgufArch.GPT_OSS;
            case Q, K -> spec.attention().qkNorm() != QkNorm.NONE;
            default -> true;
        };
    }

    private void vectors() {
        if (spec.attention().sinks()) {
            vectors.put("sinks", tensors.vector(full(TensorNames.SINKS + ".weight"), spec.attention().heads()));
        }
        if (tensors.has(full(TensorNames.CORRECTION + ".bias"))) {
            int experts = spec.feedForward().experts().map(Experts::count).orElse(0);
            vectors.put("router_correction", tensors.vector(full(TensorNames.CORRECTION + ".bias"), experts));
        }
    }

    /** The usual four, where the block has their layers; what stands before a subset is a norm or a layer of the same block. */
    private List<Subset> subsets() {
        List<Subset> out = new ArrayList<>();
        List<String> inputs = names(Role.Q, Role.K, Role.V);
        Optional<Subset.Previous> before = Optional.ofNullable(norms.get(NormSlot.ATTENTION_INPUT)).map(n -> new Subset.PreviousNorm(n.name()));
        if (inputs.size() == 3) {
            out.add(new Subset(inputs, before, Subset.Inspect.ATTENTION, false, before.isPresent(), true));
            boolean plain = spec.attention().heads() == spec.attention().kvHeads();
            out.add(new Subset(names(Role.O), plain ? Optional.of(new Subset.PreviousLinear(inputs.get(2))) : Optional.empty(), Subset.Inspect.LINEAR, false,
                    plain, true));
        }
        List<String> wide = names(Role.GATE, Role.UP);
        if (!wide.isEmpty()) {
            NormSlot slot = norms.containsKey(NormSlot.MLP_INPUT) ? NormSlot.MLP_INPUT : NormSlot.ATTENTION_INPUT;
            Optional<Subset.Previous> norm = Optional.ofNullable(norms.get(slot)).filter(n -> !spec.parallel()).map(n -> new Subset.PreviousNorm(n.name()));
            out.add(new Subset(wide, norm, Subset.Inspect.MLP, true, norm.isPresent(), true));
            boolean gated = spec.feedForward().gated();
            out.add(new Subset(names(Role.DOWN), gated ? Optional.of(new Subset.PreviousLinear(wide.getLast())) : Optional.empty(), Subset.Inspect.LINEAR,
                    true, gated, true));
        }
        return out;
    }

    private List<String> names(Role... roles) {
        return linears.stream().filter(l -> Arrays.asList(roles).contains(l.role())).map(Linear::name).toList();
    }
}
