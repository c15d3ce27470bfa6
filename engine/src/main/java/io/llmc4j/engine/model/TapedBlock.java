package io.llmc4j.engine.model;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.autodiff.ActivationOps;
import io.llmc4j.engine.autodiff.AttentionOps;
import io.llmc4j.engine.autodiff.ElementOps;
import io.llmc4j.engine.autodiff.LinearOps;
import io.llmc4j.engine.autodiff.NormOps;
import io.llmc4j.engine.autodiff.RoutingOps;
import io.llmc4j.engine.autodiff.Tape;
import io.llmc4j.engine.autodiff.Var;
import io.llmc4j.engine.tensor.Matrix;
import java.util.Arrays;
import java.util.Optional;

/**
 * The same block as {@link Decoder#block} as a graph on a {@link Tape}, so that losses on its output have gradients by whatever a method
 * puts in place of weights, biases, norm parameters and layer inputs ({@link Parameters}).
 */
public final class TapedBlock {

    /** What stands for the parameters of a block. The defaults are constants: the block as it is, quantized layers quantized. */
    public interface Parameters {

        /** [out, in] */
        default Var weight(Tape tape, Linear layer) {
            return Var.input(layer.effectiveWeight());
        }

        /** [1, out], or no elements */
        default Var bias(Tape tape, Linear layer) {
            return row(layer.bias());
        }

        /** What the layer multiplies: its input, rounded or not. */
        default Var input(Tape tape, Linear layer, Var x, int batch, int tokens) {
            return x;
        }

        /** [1, features] */
        default Var normWeight(Tape tape, Norm norm) {
            return row(norm.weight());
        }

        /** [1, features], or no elements */
        default Var normBias(Tape tape, Norm norm) {
            return row(norm.bias());
        }
    }

    private final Decoder decoder;
    private final Block block;
    private final Parameters parameters;

    public TapedBlock(Decoder decoder, Block block, Parameters parameters) {
        this.decoder = decoder;
        this.block = block;
        this.parameters = parameters;
    }

    /** A vector as a constant of one row. */
    public static Var row(float[] v) {
        return Var.input(new Matrix(v.length == 0 ? 0 : 1, v.length, v));
    }

    /** The block's output for {@code x} [batch * tokens, hidden]. */
    public Var forward(Tape tape, Var x, int batch, int tokens) {
        LayerSpec layer = block.spec();
        Var normed = norm(tape, NormSlot.ATTENTION_INPUT, x);
        Var attention = norm(tape, NormSlot.ATTENTION_OUTPUT, attention(tape, normed, batch, tokens));
        Var branch = scaled(tape, attention, layer.residualMultiplier());
        if (layer.parallel()) {
            Var mlpInput = block.norm(NormSlot.MLP_INPUT).isPresent() ? norm(tape, NormSlot.MLP_INPUT, x) : normed;
            Var mlp = norm(tape, NormSlot.MLP_OUTPUT, feedForward(tape, mlpInput, batch, tokens));
            return ElementOps.add(tape, ElementOps.add(tape, x, branch), scaled(tape, mlp, layer.residualMultiplier()));
        }
        Var h = norm(tape, NormSlot.AFTER_ATTENTION, ElementOps.add(tape, x, branch));
        Var mlp = norm(tape, NormSlot.MLP_OUTPUT, feedForward(tape, norm(tape, NormSlot.MLP_INPUT, h), batch, tokens));
        return norm(tape, NormSlot.AFTER_MLP, ElementOps.add(tape, h, scaled(tape, mlp, layer.residualMultiplier())));
    }

    private static Var scaled(Tape tape, Var x, float factor) {
        return factor == 1f ? x : ElementOps.scale(tape, x, factor);
    }

    private Var norm(Tape tape, NormSlot slot, Var x) {
        Optional<Norm> n = block.norm(slot);
        return n.isPresent() ? apply(tape, n.get(), x) : x;
    }

    private Var apply(Tape tape, Norm norm, Var x) {
        Var weight = parameters.normWeight(tape, norm);
        Var bias = parameters.normBias(tape, norm);
        if (norm.kind() == Norm.Kind.LAYER) {
            return NormOps.layerNorm(tape, x, weight, bias, norm.eps());
        }
        Var y = NormOps.rmsNorm(tape, x, weight, norm.eps());
        return bias.cols() == 0 ? y : ElementOps.add(tape, y, bias);
    }

    private Var linear(Tape tape, Linear layer, Var x, int batch, int tokens) {
        Var in = x;
        if (layer.inputRotation().isPresent()) {
            throw BadInput.of(BadInput.Common.NOT_SUPPORTED, "layer %s rotates its input online, which methods that learn cannot train through; "
                    + "use online_rotate: false", layer.name());
        }
        in = parameters.input(tape, layer, in, batch, tokens);
        Var y = LinearOps.linear(tape, in, parameters.weight(tape, layer));
        Var bias = parameters.bias(tape, layer);
        return bias.cols() == 0 ? y : ElementOps.add(tape, y, bias);
    }

    private Var linear(Tape tape, Role role, Var x, int batch, int tokens) {
        return linear(tape, block.linear(role).orElseThrow(), x, batch, tokens);
    }

    private Var attention(Tape tape, Var x, int batch, int tokens) {
        AttentionSpec spec = block.spec().attention();
        if (spec.latent().isPresent()) {
            return latent(tape, spec, spec.latent().get(), x, batch, tokens);
        }
        Var q = normHeads(tape, NormSlot.Q, linear(tape, Role.Q, x, batch, tokens), spec.heads());
        Var k = normHeads(tape, NormSlot.K, linear(tape, Role.K, x, batch, tokens), spec.kvHeads());
        q = rotated(tape, q, tokens, spec.headDim());
        k = rotated(tape, k, tokens, spec.headDim());
        if (spec.logitScaling() > 0) {
            q = ElementOps.multiply(tape, q, Var.input(AttentionHalf.lengthFactors(spec, batch, tokens)));
        }
        return mixed(tape, q, k, linear(tape, Role.V, x, batch, tokens), batch, tokens);
    }

    /** The first features of each head turned by the positions, where they are rotary. */
    private Var rotated(Tape tape, Var x, int tokens, int headDim) {
        if (block.spec().attention().position() instanceof AttentionSpec.Rotary rotary) {
            RotaryTable table = decoder.rotary(rotary, 0, tokens);
            return AttentionOps.rotary(tape, x, tokens, headDim, rotary.dims() / 2, rotary.interleaved(), table.cos(), table.sin());
        }
        return x;
    }

    /** Multi-head latent attention. Rotary features stand before the others here, in queries and keys alike: their products are the same. */
    private Var latent(Tape tape, AttentionSpec spec, AttentionSpec.Latent latent, Var x, int batch, int tokens) {
        int nope = latent.nopeDim();
        int rope = latent.ropeDim();
        int value = spec.valueDim();
        int head = nope + rope;
        Var q = latent.qRank() == 0 ? linear(tape, Role.Q, x, batch, tokens)
                : linear(tape, Role.Q_B, norm(tape, NormSlot.Q_LATENT, linear(tape, Role.Q_A, x, batch, tokens)), batch, tokens);
        Var compressed = linear(tape, Role.KV_A, x, batch, tokens);
        Var shared = rotated(tape, ElementOps.columns(tape, compressed, range(latent.kvRank(), rope)), tokens, rope);
        Var c = norm(tape, NormSlot.KV_LATENT, ElementOps.columns(tape, compressed, range(0, latent.kvRank())));
        Var expanded = linear(tape, Role.KV_B, c, batch, tokens);
        int[] queries = new int[spec.heads() * head];
        int[] own = new int[queries.length];
        int[] common = new int[queries.length];
        int[] values = new int[spec.heads() * value];
        for (int h = 0; h < spec.heads(); h++) {
            for (int j = 0; j < head; j++) {
                queries[h * head + j] = h * head + (j < rope ? nope + j : j - rope);
                own[h * head + j] = j < rope ? -1 : h * (nope + value) + j - rope;
                common[h * head + j] = j < rope ? j : -1;
            }
            for (int j = 0; j < value; j++) {
                values[h * value + j] = h * (nope + value) + nope + j;
            }
        }
        Var keys = ElementOps.add(tape, ElementOps.columns(tape, expanded, own), ElementOps.columns(tape, shared, common));
        return mixed(tape, rotated(tape, ElementOps.columns(tape, q, queries), tokens, head), keys, ElementOps.columns(tape, expanded, values), batch, tokens);
    }

    private static int[] range(int from, int count) {
        int[] out = new int[count];
        Arrays.setAll(out, i -> from + i);
        return out;
    }

    private Var mixed(Tape tape, Var q, Var k, Var v, int batch, int tokens) {
        AttentionSpec spec = block.spec().attention();
        float[] slopes = new float[0];
        if (spec.position() instanceof AttentionSpec.Alibi alibi) {
            slopes = Attention.slopes(spec.heads(), alibi.slopeFactor());
        }
        float[] sinks = block.vectors().getOrDefault("sinks", new float[0]);
        AttentionOps.Core core = new AttentionOps.Core(batch, tokens, spec.heads(), spec.kvHeads(), spec.headDim(), spec.valueDim(), spec.scale(),
                spec.slidingWindow(), spec.softCap(), slopes, sinks);
        return linear(tape, Role.O, AttentionOps.attention(tape, q, k, v, core), batch, tokens);
    }

    private Var normHeads(Tape tape, NormSlot slot, Var x, int heads) {
        return switch (block.spec().attention().qkNorm()) {
            case NONE -> x;
            case FULL_WIDTH -> norm(tape, slot, x);
            case SHARED_BY_HEADS -> ElementOps.reshape(tape, norm(tape, slot, ElementOps.reshape(tape, x, x.rows() * heads, x.cols() / heads)), x.rows(), x.cols());
            case EACH_HEAD -> eachHead(tape, block.norm(slot).orElseThrow(), x, heads);
        };
    }

    /** Normalized head by head with unit weights, then multiplied by the whole row of weights. */
    private Var eachHead(Tape tape, Norm norm, Var x, int heads) {
        int width = x.cols() / heads;
        float[] ones = new float[width];
        Arrays.fill(ones, 1f);
        Var byHead = ElementOps.reshape(tape, x, x.rows() * heads, width);
        Var normed = norm.kind() == Norm.Kind.RMS ? NormOps.rmsNorm(tape, byHead, row(ones), norm.eps())
                : NormOps.layerNorm(tape, byHead, row(ones), row(new float[0]), norm.eps());
        Var y = ElementOps.multiply(tape, ElementOps.reshape(tape, normed, x.rows(), x.cols()), parameters.normWeight(tape, norm));
        Var bias = parameters.normBias(tape, norm);
        return bias.cols() == 0 ? y : ElementOps.add(tape, y, bias);
    }

    private Var feedForward(Tape tape, Var x, int batch, int tokens) {
        FeedForwardSpec spec = block.spec().feedForward();
        if (spec.experts().isEmpty()) {
            Optional<Linear> gate = spec.gated() ? block.linear(Role.GATE) : Optional.empty();
            return through(tape, x, gate, block.linear(Role.UP).orElseThrow(), block.linear(Role.DOWN).orElseThrow(), batch, tokens);
        }
        return experts(tape, spec, spec.experts().get(), x, batch, tokens);
    }

    private Var through(Tape tape, Var x, Optional<Linear> gate, Linear up, Linear down, int batch, int tokens) {
        FeedForwardSpec spec = block.spec().feedForward();
        Var inner;
        if (gate.isPresent() && spec.clamp() > 0) {
            // GPT-OSS: (clamp(u) + 1) * g * sigmoid(1.702 g) with g at most the limit
            Var g = ElementOps.clamp(tape, linear(tape, gate.get(), x, batch, tokens), Float.NEGATIVE_INFINITY, spec.clamp());
            Var u = ElementOps.clamp(tape, linear(tape, up, x, batch, tokens), -spec.clamp(), spec.clamp());
            Var swish = ElementOps.multiply(tape, g, ActivationOps.sigmoid(tape, ElementOps.scale(tape, g, 1.702f)));
            inner = ElementOps.multiply(tape, ElementOps.add(tape, u, row(new float[] {1f})), swish);
        } else if (gate.isPresent()) {
            Var g = ActivationOps.activate(tape, spec.activation(), linear(tape, gate.get(), x, batch, tokens));
            inner = ElementOps.multiply(tape, linear(tape, up, x, batch, tokens), g);
        } else {
            inner = ActivationOps.activate(tape, spec.activation(), linear(tape, up, x, batch, tokens));
        }
        return linear(tape, down, inner, batch, tokens);
    }

    private Var experts(Tape tape, FeedForwardSpec spec, FeedForwardSpec.Experts experts, Var x, int batch, int tokens) {
        Var logits = linear(tape, Role.ROUTER, x, batch, tokens);
        ExpertRouter.Choice choice = ExpertRouter.choose(logits.value(), experts, block.vectors().getOrDefault("router_correction", new float[0]));
        int[][] columns = new int[x.rows()][];
        for (int r = 0; r < columns.length; r++) {
            columns[r] = choice.expertsOf(r);
        }
        Var weights = switch (experts.scoring()) {
            case SOFTMAX -> RoutingOps.pick(tape, RoutingOps.softmax(tape, logits), columns);
            case SIGMOID -> RoutingOps.pick(tape, ActivationOps.sigmoid(tape, logits), columns);
            case SOFTMAX_OF_CHOSEN -> RoutingOps.softmax(tape, RoutingOps.pick(tape, logits, columns));
        };
        if (experts.normalize()) {
            weights = RoutingOps.normalizeRows(tape, weights, 1e-20f);
        }
        weights = scaled(tape, weights, experts.scaling());
        Var out = Var.input(new Matrix(x.rows(), x.cols()));
        for (int e = 0; e < experts.count(); e++) {
            int[] rows = choice.rowsOf(e);
            if (rows.length == 0) {
                continue;
            }
            int[] weightAt = new int[rows.length];
            for (int i = 0; i < rows.length; i++) {
                weightAt[i] = rows[i] * experts.perToken() + Arrays.binarySearch(columns[rows[i]], e);
            }
            Optional<Linear> gate = spec.gated() ? Optional.of(block.linear(Role.EXPERT_GATE, e)) : Optional.empty();
            Var y = through(tape, RoutingOps.gatherRows(tape, x, rows), gate, block.linear(Role.EXPERT_UP, e), block.linear(Role.EXPERT_DOWN, e), 1, rows.length);
            out = RoutingOps.scatterRows(tape, out, y, rows, weights, weightAt);
        }
        if (experts.sharedIntermediate() > 0) {
            Optional<Linear> gate = spec.gated() ? block.linear(Role.SHARED_GATE) : Optional.empty();
            Var y = through(tape, x, gate, block.linear(Role.SHARED_UP).orElseThrow(), block.linear(Role.SHARED_DOWN).orElseThrow(), batch, tokens);
            if (experts.sharedGate()) {
                y = ElementOps.multiply(tape, y, ActivationOps.sigmoid(tape, linear(tape, Role.SHARED_EXPERT_GATE, x, batch, tokens)));
            }
            out = ElementOps.add(tape, out, y);
        }
        return out;
    }
}
