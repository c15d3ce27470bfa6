package io.llmc4j.formats.export;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.llmc4j.engine.model.StaticKvCache;
import io.llmc4j.engine.pipeline.KvCacheScheme;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Map;
import java.util.Optional;

/**
 * A format at work on one directory: gives each module its tensors, and gathers what config.json will say about them. What it gathers is small and
 * serializable: a journal keeps it for a resumed run.
 */
public interface ModuleWriter extends java.io.Serializable {

    /**
     * The tensors of a module's codes by the last part of their names, activation scales included and biases not; empty when the module is written
     * as floats. Throws BadInput (FORMAT) when the format cannot hold it.
     */
    Optional<Coded> coded(ModuleToWrite m, Arena arena);

    /**
     * Whether the tensors of a stacked expert's codes are slices of {@code <weight>_<part>}, [experts, ...]; false: such experts have no codes in the
     * format.
     */
    default boolean stacks() {
        return false;
    }

    /** The weight of a module that is written as floats, [out, in]. */
    Matrix floats(ModuleToWrite m);

    /**
     * The tensors of a block's static cache, by the last part of their names ("k_scale"); they belong to the attention module. Asked for only where
     * {@link ExportFormat#whyNoCache} is empty.
     */
    default Map<String, Tensor> cache(KvCacheScheme scheme, StaticKvCache.Params params, Arena arena) {
        return Map.of();
    }

    /** A linear module outside the text model (a vision tower's, a projector's), which keeps its floats; told before {@link #describe}. */
    default void carried(String module) {
    }

    /**
     * Says in config.json what was written.
     *
     * @param config without any earlier quantization
     * @param head   module name of the head, "lm_head"
     */
    void describe(ObjectNode config, String head);

    /** Files that the format wants beside config.json, by name; asked for after {@link #describe}. */
    default Map<String, JsonNode> files() {
        return Map.of();
    }

    /**
     * @param stored    the codes as a reader will give them back; empty where a {@link QuantizedMatrix} cannot hold them
     * @param values    the weight as a reader will give it back
     * @param reference what the run computed with, or what was rounded here
     * @param slack     how far values may be from the reference beyond the rounding of a scale to half precision
     */
    record Coded(Map<String, Tensor> tensors, Optional<QuantizedMatrix> stored, Matrix values, Matrix reference, double slack) {

        /** The run's codes, as a codec stores them. */
        public static Coded of(WeightCodec codec, ModuleToWrite m, QuantizedMatrix q, Map<String, Tensor> tensors) {
            QuantizedMatrix stored = codec.stored(q);
            return new Coded(tensors, Optional.of(stored), stored.dequantize(), m.fake(), codec.slack(q));
        }
    }
}
