package io.llmc4j.formats.hf;

import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.tensor.Matrix;
import java.util.List;
import java.util.Optional;

/** Decodes the modules of a checkpoint that stores them quantized. One kind a {@code quant_method}; {@link WeightFormats} is the list. */
public interface WeightReader {

    /** Whether this module is stored in the reader's way; if not, its plain float tensor is read. */
    boolean holds(StoredModule module);

    /** The tensors that it consumes for the weight (not the bias), by full name. */
    List<String> tensors(StoredModule module);

    /** Decoded, [out, in] whatever the stored order. Throws BadInput (MODEL) when the tensors do not fit together. */
    Matrix weight(StoredModule module);

    /** The stored codes, scales and zero points, [out, in]; empty when a {@link QuantizedMatrix} cannot carry this kind. */
    Optional<QuantizedMatrix> codes(StoredModule module);

    /** {@link #codes} and {@link #weight} together, which may cost less. */
    default Decoded decoded(StoredModule module) {
        return new Decoded(codes(module), weight(module));
    }

    /**
     * @param codes  empty when a {@link QuantizedMatrix} cannot carry this kind
     * @param weight [out, in]
     */
    record Decoded(Optional<QuantizedMatrix> codes, Matrix weight) { }

    /**
     * What the configuration says of a module and its tensors contradict, in a few words ("group_size 128, the scales are of groups of 64"); empty when they
     * agree. The tensors decode all the same; a server that believes the configuration reads other weights.
     */
    default Optional<String> contradiction(StoredModule module) {
        return Optional.empty();
    }

    /** How a server rounds the module's inputs; empty when it does not, or when the format says nothing of it. */
    default Optional<QuantScheme> activation(StoredModule module) {
        return Optional.empty();
    }

    /**
     * The scales of the cache that this module's keys go to; empty when the format says nothing of it. Throws BadInput (FORMAT) when one is missing or not
     * one positive number.
     *
     * @param module whose parts have the keys
     */
    default Optional<CacheScales> cacheScales(StoredModule module) {
        return Optional.empty();
    }

    /** The static scale of the module's inputs. Throws BadInput (FORMAT) when it is not one number. */
    default Optional<Float> inputScale(StoredModule module) {
        return Optional.empty();
    }
}
