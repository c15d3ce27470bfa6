package io.llmc4j.engine.method.rotation;

import io.llmc4j.engine.autodiff.ElementOps;
import io.llmc4j.engine.autodiff.LinearOps;
import io.llmc4j.engine.autodiff.LossOps;
import io.llmc4j.engine.autodiff.NormOps;
import io.llmc4j.engine.autodiff.Tape;
import io.llmc4j.engine.autodiff.Var;
import io.llmc4j.engine.method.training.TapedQuantizers;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Decoder;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.ModelEnds;
import io.llmc4j.engine.model.ModelSpec;
import io.llmc4j.engine.model.Norm;
import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.model.TapedBlock;
import io.llmc4j.engine.pipeline.LayerScheme;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.function.BiFunction;

/**
 * A whole model with its rotations as variables: R1 of the residual stream, R2 inside the value heads of every block. Norm gains must be fused already
 * (a {@link StreamRotation} by the identity does that). The backward pass recomputes one block at a time.
 */
public final class RotatedModel {

    private static final Set<Role> WRITERS = Set.of(Role.O, Role.DOWN, Role.EXPERT_DOWN, Role.SHARED_DOWN);

    private final ModelSpec spec;
    private final Decoder decoder;
    private final ModelEnds ends;
    private final List<Block> blocks;
    private final BiFunction<Block, Linear, LayerScheme> schemes;
    private final Var stream;
    private final List<Var> heads = new ArrayList<>();
    private final Matrix head;

    /**
     * @param first   R1 to start with [hidden, hidden]; trained in place
     * @param firstHeads R2 of each block [valueDim, valueDim]; trained in place
     */
    public RotatedModel(Decoder decoder, ModelEnds ends, List<Block> blocks, BiFunction<Block, Linear, LayerScheme> schemes, Matrix first, List<Matrix> firstHeads) {
        this.spec = decoder.spec();
        this.decoder = decoder;
        this.ends = ends;
        this.blocks = blocks;
        this.schemes = schemes;
        this.stream = Var.parameter(first);
        firstHeads.forEach(m -> heads.add(Var.parameter(m)));
        this.head = Tensors.toMatrix(ends.head().orElseThrow());
    }

    /** R1, then the R2 of each block. */
    public List<Var> parameters() {
        List<Var> all = new ArrayList<>(List.of(stream));
        all.addAll(heads);
        return all;
    }

    /** Mean next-token cross entropy of one sequence; gradients are added to the parameters'. */
    public double lossAndGradient(int[] ids, boolean gradient) {
        int tokens = ids.length;
        Matrix embedded = decoder.embed(ends, new int[][] {ids}).data();
        Tape tape = new Tape();
        List<Matrix> states = new ArrayList<>();
        states.add(LinearOps.multiply(tape, Var.input(embedded), stream).value().copy());
        tape.reset();
        for (int i = 0; i < blocks.size(); i++) {
            states.add(taped(i).forward(tape, Var.input(states.get(i)), 1, tokens).value().copy());
            tape.reset();
        }
        Var last = Var.parameter(states.getLast());
        Var loss = head(tape, last, ids);
        double value = loss.value().data()[0];
        if (!gradient) {
            return value;
        }
        tape.backward(loss);
        tape.reset();
        Matrix flowing = last.gradient();
        for (int i = blocks.size() - 1; i >= 0; i--) {
            Var x = Var.parameter(states.get(i));
            Var y = taped(i).forward(tape, x, 1, tokens);
            tape.backward(y, flowing);
            flowing = x.gradient().copy();
            tape.reset();
        }
        tape.backward(LinearOps.multiply(tape, Var.input(embedded), stream), flowing);
        return value;
    }

    private Var head(Tape tape, Var last, int[] ids) {
        Norm norm = ends.finalNorm().orElseThrow();
        float[] ones = new float[spec.hiddenSize()];
        Arrays.fill(ones, 1f);
        Var normed = NormOps.rmsNorm(tape, last, TapedBlock.row(ones), norm.eps());
        // (W R1) x = W (R1 x): the stream is turned back instead of the whole head.
        Var logits = LinearOps.linear(tape, LinearOps.linear(tape, normed, stream), Var.input(head));
        if (ends.headBias().length > 0) {
            logits = ElementOps.add(tape, logits, TapedBlock.row(ends.headBias()));
        }
        if (spec.logitMultiplier() != 1f) {
            logits = ElementOps.scale(tape, logits, spec.logitMultiplier());
        }
        return LossOps.crossEntropy(tape, logits, new int[][] {ids});
    }

    private TapedBlock taped(int index) {
        Block b = blocks.get(index);
        Var inner = heads.get(index);
        boolean values = b.linear(Role.V).isPresent();
        return new TapedBlock(decoder, b, new TapedBlock.Parameters() {
            @Override
            public Var weight(Tape tape, Linear layer) {
                Var w = rotated(tape, layer, inner, values);
                LayerScheme scheme = schemes.apply(b, layer);
                return scheme.weight().isEmpty() ? w
                        : TapedQuantizers.weight(tape, scheme.weight().get().withGradients(true, false), w, TapedQuantizers.NONE, TapedQuantizers.NONE);
            }

            @Override
            public Var bias(Tape tape, Linear layer) {
                Var bias = TapedBlock.row(layer.bias());
                if (bias.cols() == 0) {
                    return bias;
                }
                if (WRITERS.contains(layer.role())) {
                    return LinearOps.multiply(tape, bias, stream);
                }
                return layer.role() == Role.V ? inside(tape, bias, inner) : bias;
            }

            @Override
            public Var input(Tape tape, Linear layer, Var x, int batch, int tokens) {
                LayerScheme scheme = schemes.apply(b, layer);
                return scheme.weight().isEmpty() || scheme.activation().isEmpty() ? x
                        : TapedQuantizers.activation(tape, scheme.activation().get().withGradients(true, false), x, batch, tokens);
            }
        });
    }

    /** @param values whether the block has a value projection, whose heads R2 turns */
    private Var rotated(Tape tape, Linear layer, Var inner, boolean values) {
        Var w = Var.input(layer.weight());
        if (layer.role() == Role.Q_B || layer.role() == Role.KV_B) {
            // they read a latent, not the stream
            return w;
        }
        if (layer.role() == Role.O && values) {
            w = inside(tape, w, inner);
        }
        if (WRITERS.contains(layer.role())) {
            return LinearOps.transposeMultiply(tape, stream, w);
        }
        Var read = LinearOps.multiply(tape, w, stream);
        return layer.role() == Role.V ? ElementOps.transpose(tape, inside(tape, ElementOps.transpose(tape, read), inner)) : read;
    }

    /** Each stretch of a head's width in every row, times R2. */
    private static Var inside(Tape tape, Var w, Var inner) {
        int width = inner.rows();
        Var byHead = ElementOps.reshape(tape, w, w.rows() * (w.cols() / width), width);
        return ElementOps.reshape(tape, LinearOps.multiply(tape, byHead, inner), w.rows(), w.cols());
    }
}
