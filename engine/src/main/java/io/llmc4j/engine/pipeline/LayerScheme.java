package io.llmc4j.engine.pipeline;

import io.llmc4j.engine.quant.QuantScheme;
import java.util.Optional;

/**
 * How one layer is quantized.
 *
 * @param weight     what methods search with; empty: the layer is float and no stage touches it
 * @param activation empty: inputs are not rounded
 * @param deployed   false: methods treat the layer like any other, but it stays float in the compressed model ({@code ignored_layers})
 */
public record LayerScheme(Optional<QuantScheme> weight, Optional<QuantScheme> activation, boolean deployed) {

    public static final LayerScheme FLOAT = new LayerScheme(Optional.empty(), Optional.empty(), false);

    /** Whether the compressed model has codes for it. */
    public boolean quantized() {
        return deployed && weight.isPresent();
    }
}
