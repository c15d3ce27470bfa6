package io.llmc4j.engine.pipeline;

import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.tensor.Matrix;
import java.util.List;
import java.util.Optional;

/**
 * What became of one linear layer.
 *
 * @param fullName       name in the model, "model.layers.0.self_attn.q_proj"
 * @param layer          the layer with its transformed float weight
 * @param quantized      real codes; empty when the layer stays float or has no codes (then {@code fake} may still differ)
 * @param fake           quantized and dequantized weight [out, in]; the float weight itself when not quantized
 * @param weightScheme   empty when the layer stays float
 * @param activationScheme empty when inputs are not rounded
 * @param inputScale     static activation scale (multiplier), or empty
 * @param meanSquaredError of fake against the transformed float weight
 * @param relativeError  ||fake - w|| / ||w||
 * @param bits           average bits of a weight, scales and zero points included; 16 or 32 when float
 * @param notes          what was special ("damping raised to 0.1", "3 dead columns")
 */
public record LayerResult(String fullName, Linear layer, Optional<QuantizedMatrix> quantized, Matrix fake, Optional<QuantScheme> weightScheme,
                          Optional<QuantScheme> activationScheme, Optional<Float> inputScale, double meanSquaredError, double relativeError,
                          double bits, double seconds, List<String> notes) {
}
