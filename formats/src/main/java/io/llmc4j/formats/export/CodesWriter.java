package io.llmc4j.formats.export;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.tensor.Matrix;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** A writer for which a module without a weight scheme stays float, as the run left it, and is named in config.json as one that was not converted. */
public abstract class CodesWriter implements ModuleWriter {

    private final List<String> floats = new ArrayList<>();

    /** The modules that stay float, in the order in which they came. */
    protected final List<String> floats() {
        return floats;
    }

    /** The tensors of a module that has a weight scheme. Throws BadInput (FORMAT) when the format cannot hold it. */
    protected abstract Coded encode(ModuleToWrite m, Arena arena);

    @Override
    public final Optional<Coded> coded(ModuleToWrite m, Arena arena) {
        if (m.weightScheme().isEmpty()) {
            floats.add(m.name());
            return Optional.empty();
        }
        return Optional.of(encode(m, arena));
    }

    @Override
    public final Matrix floats(ModuleToWrite m) {
        return m.transformed();
    }

    @Override
    public final void carried(String module) {
        floats.add(module);
    }

    /** The run's codes of a module, refused when {@code codec} does not hold them. */
    protected static QuantizedMatrix codes(ModuleToWrite m, WeightCodec codec) {
        QuantizedMatrix q = m.codes();
        refuse(m, codec.whyNot(q));
        return q;
    }

    /** @param why the reason why the format cannot hold the module, or empty */
    protected static void refuse(ModuleToWrite m, String why) {
        if (!why.isEmpty()) {
            throw BadInput.of(BadInput.Common.FORMAT, "%s cannot be written: %s", m.name(), why);
        }
    }
}
