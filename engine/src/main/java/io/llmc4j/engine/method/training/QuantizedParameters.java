package io.llmc4j.engine.method.training;

import io.llmc4j.engine.autodiff.Tape;
import io.llmc4j.engine.autodiff.Var;
import io.llmc4j.engine.method.BlockWork;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.TapedBlock;
import io.llmc4j.engine.pipeline.LayerScheme;

/** The parameters of a block in which activations of quantized layers are rounded on the tape; weights are for subclasses-by-hand: see {@link #weight}. */
public abstract class QuantizedParameters implements TapedBlock.Parameters {

    protected final BlockWork work;

    protected QuantizedParameters(BlockWork work) {
        this.work = work;
    }

    @Override
    public Var input(Tape tape, Linear layer, Var x, int batch, int tokens) {
        LayerScheme scheme = work.scheme(layer);
        if (scheme.weight().isEmpty() || scheme.activation().isEmpty()) {
            return x;
        }
        return TapedQuantizers.activation(tape, scheme.activation().get(), x, batch, tokens);
    }
}
