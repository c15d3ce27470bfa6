package io.llmc4j.engine.model;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.kernel.Products;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Tensors;
import java.util.Arrays;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The forward pass of every family: one decoder whose differences are data ({@link ModelSpec}). Blocks come from outside, one at a time;
 * nothing here holds a weight. Computes in float32; the same bits for any number of threads.
 */
public final class Decoder {

    private record TableKey(AttentionSpec.Rotary rotary, int first, int tokens) { }

    private final ModelSpec spec;
    private final ConcurrentHashMap<TableKey, RotaryTable> tables = new ConcurrentHashMap<>();

    public Decoder(ModelSpec spec) {
        this.spec = spec;
    }

    public ModelSpec spec() {
        return spec;
    }

    /** The first block's input for equally long sequences of token ids. */
    public Hidden embed(ModelEnds ends, int[][] ids) {
        return embed(ends, ids, 0);
    }

    /**
     * @param ids   [batch][tokens]
     * @param first position of the first token (0, or what a cache has seen)
     */
    public Hidden embed(ModelEnds ends, int[][] ids, int first) {
        int tokens = ids.length == 0 ? 0 : ids[0].length;
        int[] flat = new int[ids.length * tokens];
        for (int b = 0; b < ids.length; b++) {
            if (ids[b].length != tokens) {
                throw new IllegalArgumentException("sequences of " + tokens + " and " + ids[b].length + " tokens in one batch");
            }
            System.arraycopy(ids[b], 0, flat, b * tokens, tokens);
        }
        checkIds(flat, ends.embedding().shape().dim(0));
        Matrix x = Tensors.gatherRows(ends.embedding(), flat);
        if (spec.embeddingMultiplier() != 1f) {
            Kernels.get().scale(x.data().length, spec.embeddingMultiplier(), x.data(), 0);
        }
        if (ends.projectIn().isPresent()) {
            x = Products.linear(x, ends.projectIn().get());
        }
        if (ends.positions().isPresent()) {
            addPositions(ends, x, ids.length, tokens, first);
        }
        if (ends.embeddingNorm().isPresent()) {
            x = ends.embeddingNorm().get().apply(x);
        }
        return new Hidden(ids.length, tokens, x);
    }

    private static void checkIds(int[] ids, long vocabulary) {
        for (int id : ids) {
            if (id < 0 || id >= vocabulary) {
                throw BadInput.of(BadInput.Common.DATA, "token id %d is outside the model's vocabulary of %d; the ids come from another tokenizer",
                        id, vocabulary);
            }
        }
    }

    private void addPositions(ModelEnds ends, Matrix x, int batch, int tokens, int first) {
        long rows = ends.positions().get().shape().dim(0);
        if (first + tokens + spec.positionOffset() > rows) {
            throw BadInput.of(BadInput.Common.DATA, "a sequence of %d tokens, but the model has learned positions for %d; use a smaller seq_len",
                    first + tokens, rows - spec.positionOffset());
        }
        int[] positions = new int[tokens];
        Arrays.setAll(positions, t -> first + t + spec.positionOffset());
        Matrix p = Tensors.gatherRows(ends.positions().get(), positions);
        for (int b = 0; b < batch; b++) {
            Kernels.get().add(p.data().length, x.data(), b * p.data().length, p.data(), 0, x.data(), b * p.data().length);
        }
    }

    /** One block: its output states. The argument is left alone. */
    public Hidden block(Block block, Hidden in, ForwardHooks hooks) {
        return block(block, in, hooks, KvCache.NONE);
    }

    /** One block with a cache: {@code in} holds the tokens after those that the cache has seen. */
    public Hidden block(Block block, Hidden in, ForwardHooks hooks, KvCache cache) {
        LayerSpec layer = block.spec();
        Matrix x = in.data();
        Matrix normed = norm(block, NormSlot.ATTENTION_INPUT, x);
        hooks.attentionInput(block, normed, in.batch(), in.tokens());
        Matrix attention = hooks.at(Waypoint.ATTENTION, () -> norm(block, NormSlot.ATTENTION_OUTPUT, attention(block, in.with(normed), hooks, cache)));
        if (layer.parallel()) {
            Matrix mlpInput = block.norm(NormSlot.MLP_INPUT).isPresent() ? norm(block, NormSlot.MLP_INPUT, x) : normed;
            hooks.mlpInput(block, mlpInput, in.batch(), in.tokens());
            Matrix mlp = norm(block, NormSlot.MLP_OUTPUT, mlp(block, in.with(mlpInput), hooks));
            return in.with(add(add(x, attention, layer.residualMultiplier()), mlp, layer.residualMultiplier()));
        }
        Matrix h = norm(block, NormSlot.AFTER_ATTENTION, add(x, attention, layer.residualMultiplier()));
        Matrix mlpInput = norm(block, NormSlot.MLP_INPUT, h);
        hooks.mlpInput(block, mlpInput, in.batch(), in.tokens());
        Matrix mlp = norm(block, NormSlot.MLP_OUTPUT, mlp(block, in.with(mlpInput), hooks));
        return in.with(norm(block, NormSlot.AFTER_MLP, add(h, mlp, layer.residualMultiplier())));
    }

    /** The attention half alone; {@code in} holds the normed input. */
    public Matrix attention(Block block, Hidden in, ForwardHooks hooks) {
        return attention(block, in, hooks, KvCache.NONE);
    }

    public Matrix attention(Block block, Hidden in, ForwardHooks hooks, KvCache cache) {
        return new AttentionHalf(this, block, in.batch(), in.tokens(), hooks, cache).forward(in.data());
    }

    /** The feed-forward half alone; {@code in} holds the normed input. */
    public Matrix mlp(Block block, Hidden in, ForwardHooks hooks) {
        return new FeedForwardHalf(this, block, in.batch(), in.tokens(), hooks).forward(in.data());
    }

    /**
     * One linear layer: hook, online rotation, activation rounding, product with the effective weight, bias.
     *
     * @param x [batch * tokens, in], left alone
     */
    public Matrix linear(Linear layer, Matrix x, int batch, int tokens, ForwardHooks hooks) {
        hooks.linearInput(layer, x, batch, tokens);
        Matrix in = x;
        if (layer.inputRotation().isPresent()) {
            in = x.copy();
            layer.inputRotation().get().rotate(in);
        }
        if (layer.quantized() && layer.activationRounding().isPresent()) {
            in = layer.activationRounding().get().fakeQuantize(in, batch, tokens);
        }
        Matrix y = Products.linear(in, layer.effectiveWeight());
        addBias(y, layer.bias());
        return y;
    }

    static void addBias(Matrix y, float[] bias) {
        if (bias.length == 0) {
            return;
        }
        Kernels kernels = Kernels.get();
        Parallel.forRange(y.rows(), (from, to) -> {
            for (int r = from; r < to; r++) {
                kernels.add(y.cols(), y.data(), r * y.cols(), bias, 0, y.data(), r * y.cols());
            }
        });
    }

    private static Matrix norm(Block block, NormSlot slot, Matrix x) {
        Optional<Norm> n = block.norm(slot);
        return n.isPresent() ? n.get().apply(x) : x;
    }

    /** x + multiplier * branch, a new matrix. */
    private static Matrix add(Matrix x, Matrix branch, float multiplier) {
        Kernels kernels = Kernels.get();
        Matrix out = x.copy();
        Parallel.forRange(x.rows(), (from, to) -> {
            int at = from * x.cols();
            int n = (to - from) * x.cols();
            if (multiplier == 1f) {
                kernels.add(n, x.data(), at, branch.data(), at, out.data(), at);
            } else {
                kernels.axpy(n, multiplier, branch.data(), at, out.data(), at);
            }
        });
        return out;
    }

    /** Logits of every token, [batch * tokens, vocabulary]. For long texts and large vocabularies use {@link #crossEntropy}. */
    public Matrix logits(ModelEnds ends, Hidden last) {
        Head head = new Head(spec, ends);
        Matrix x = head.input(last.data());
        Matrix out = new Matrix(x.rows(), head.vocabulary());
        head.panels(x, (from, panel) -> {
            for (int r = 0; r < panel.rows(); r++) {
                System.arraycopy(panel.data(), r * panel.cols(), out.data(), r * out.cols() + from, panel.cols());
            }
        });
        return out;
    }

    /**
     * Sum of -log p(token t + 1 | tokens to t) over tokens 1 to {@code tokens - 1} of each sequence, added up in float64.
     *
     * @param last the last block's output
     * @param ids  the tokens that made it
     */
    public double[] crossEntropy(ModelEnds ends, Hidden last, int[][] ids) {
        Head head = new Head(spec, ends);
        return head.crossEntropy(head.input(last.data()), last.batch(), last.tokens(), ids);
    }

    RotaryTable rotary(AttentionSpec.Rotary rotary, int first, int tokens) {
        if (tables.size() > 64) {
            tables.clear();
        }
        return tables.computeIfAbsent(new TableKey(rotary, first, tokens), k -> new RotaryTable(rotary, first, tokens));
    }
}
