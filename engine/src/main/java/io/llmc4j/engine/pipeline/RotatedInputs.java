package io.llmc4j.engine.pipeline;

import io.llmc4j.engine.calibrate.Inputs;
import io.llmc4j.engine.model.Hidden;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.tensor.Matrix;

/** A layer's gathered inputs as its product sees them: rotated online (QuaRot). */
record RotatedInputs(Inputs inner, Linear.InputRotation rotation) implements Inputs {

    @Override
    public int chunks() {
        return inner.chunks();
    }

    @Override
    public Hidden chunk(int index) {
        Hidden h = inner.chunk(index);
        Matrix x = h.data().copy();
        rotation.rotate(x);
        return h.with(x);
    }

    @Override
    public int batchOf(int chunk) {
        return inner.batchOf(chunk);
    }

    @Override
    public int samples(int chunk) {
        return inner.samples(chunk);
    }

    @Override
    public int rows(int chunk) {
        return inner.rows(chunk);
    }

    @Override
    public int features() {
        return inner.features();
    }
}
