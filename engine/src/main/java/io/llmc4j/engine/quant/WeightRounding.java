package io.llmc4j.engine.quant;

import io.llmc4j.engine.tensor.Matrix;
import java.util.Optional;

/** How the weight of one linear layer becomes codes. A method installs its own; the default quantizes by the scheme at hand. */
public interface WeightRounding {

    /** Quantized and dequantized, [out, in]; the argument is left alone. */
    Matrix fakeQuantize(Matrix weight);

    /** Real codes, or empty when no export can carry them ({@link #whyNoCodes} says why). */
    Optional<QuantizedMatrix> codes(Matrix weight);

    /** {@link #fakeQuantize} of the weight that these are the {@link #codes} of, where they tell it to the bit; else empty. */
    default Optional<Matrix> fakeOf(QuantizedMatrix codes) {
        return Optional.empty();
    }

    /** One sentence; empty when there are codes. */
    default String whyNoCodes() {
        return "";
    }

    /** Bits stored beside the codes for weights that stay in high precision, beyond those of the codes in their place. */
    default long bitsBeside(Matrix weight) {
        return 0;
    }
}
