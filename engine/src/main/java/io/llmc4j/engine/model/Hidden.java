package io.llmc4j.engine.model;

import io.llmc4j.engine.tensor.Matrix;

/**
 * Hidden states of equally long sequences: row {@code b * tokens + t} of {@code data} is token t of sequence b.
 *
 * @param data [batch * tokens, features]
 */
public record Hidden(int batch, int tokens, Matrix data) {

    public Hidden {
        if (data.rows() != batch * tokens) {
            throw new IllegalArgumentException(batch + " x " + tokens + " tokens in " + data);
        }
    }

    /** The same sequences with other features. */
    public Hidden with(Matrix other) {
        return new Hidden(batch, tokens, other);
    }
}
