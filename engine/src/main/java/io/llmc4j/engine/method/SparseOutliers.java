package io.llmc4j.engine.method;

import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.quant.WeightRounding;
import io.llmc4j.engine.tensor.Matrix;
import java.util.BitSet;
import java.util.Optional;

/**
 * Single weights stay in high precision, all others are rounded.
 *
 * @param outliers bit {@code row * cols + column}
 */
record SparseOutliers(WeightRounding others, BitSet outliers) implements WeightRounding {

    @Override
    public Matrix fakeQuantize(Matrix weight) {
        Matrix out = others.fakeQuantize(weight);
        for (int i = outliers.nextSetBit(0); i >= 0; i = outliers.nextSetBit(i + 1)) {
            out.data()[i] = weight.data()[i];
        }
        return out;
    }

    @Override
    public Optional<QuantizedMatrix> codes(Matrix weight) {
        return outliers.isEmpty() ? others.codes(weight) : Optional.empty();
    }

    /** A 16-bit value and a 16-bit column each, as the paper stores them. */
    @Override
    public long bitsBeside(Matrix weight) {
        return 32L * outliers.cardinality();
    }

    @Override
    public String whyNoCodes() {
        return outliers.isEmpty() ? others.whyNoCodes() : "single weights stay in high precision, which a matrix of codes cannot hold";
    }
}
