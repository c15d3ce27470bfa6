package io.llmc4j.formats.export;

import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Map;

/**
 * The codes of one linear module as a format stores them. Encoding and decoding are inverses but for the scales, which a format may hold in
 * a narrower type: {@link #stored} says what will come back.
 */
public interface WeightCodec extends java.io.Serializable {

    /**
     * The module's tensors by the part of their name after the module's ("weight_packed"), in the order in which they are usually listed.
     * Biases and activation scales are not here. Throws BadInput (FORMAT) when the format cannot hold the codes.
     */
    Map<String, Tensor> encode(QuantizedMatrix q, Arena arena);

    /** Inverse of {@link #encode}. Throws BadInput (FORMAT) naming the module and the tensor that is missing or has the wrong type or shape. */
    QuantizedMatrix decode(ModuleTensors tensors);

    /** The codes as {@link #decode} will give them back: scales rounded as the format stores them, zero points where it keeps them. */
    QuantizedMatrix stored(QuantizedMatrix q);

    /** How far a value may move, besides the rounding of a scale to half precision: where zero points are rounded as well. */
    default double slack(QuantizedMatrix q) {
        return 0;
    }

    /** Why the format cannot hold this, one clause ("3 bits do not fit, 4 do"); empty when it can. */
    String whyNot(QuantizedMatrix q);
}
