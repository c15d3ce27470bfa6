package io.llmc4j.engine.quant;

import io.llmc4j.engine.tensor.Matrix;

/** How the input of one linear layer is fake-quantized. */
public interface ActivationRounding {

    /** @param x [batch * tokens, features], left alone; rows b * tokens to (b + 1) * tokens - 1 are sample b */
    Matrix fakeQuantize(Matrix x, int batch, int tokens);
}
