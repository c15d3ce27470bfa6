package io.llmc4j.engine.method;

import io.llmc4j.engine.model.ForwardHooks;
import io.llmc4j.engine.model.Hidden;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.Subset;
import io.llmc4j.engine.tensor.Matrix;

/** The part of a block whose output a search compares: the attention half, the feed-forward half, the block, or the layers themselves. */
final class Inspected {

    private Inspected() {
    }

    /** @param x what the subset's input is (normed where a norm feeds it), left alone */
    static Matrix run(BlockWork work, Subset subset, Hidden x) {
        return switch (subset.inspect()) {
            case ATTENTION -> work.decoder().attention(work.block(), x, ForwardHooks.NONE, work.cache());
            case MLP -> work.decoder().mlp(work.block(), x, ForwardHooks.NONE);
            case BLOCK -> work.decoder().block(work.block(), x, ForwardHooks.NONE, work.cache()).data();
            case LINEAR -> linears(work, subset, x);
        };
    }

    private static Matrix linears(BlockWork work, Subset subset, Hidden x) {
        if (subset.layers().size() == 1) {
            Linear only = work.block().linear(subset.layers().getFirst());
            return work.decoder().linear(only, x.data(), x.batch(), x.tokens(), ForwardHooks.NONE);
        }
        Matrix[] parts = subset.layers().stream().map(work.block()::linear)
                .map(l -> work.decoder().linear(l, x.data(), x.batch(), x.tokens(), ForwardHooks.NONE)).toArray(Matrix[]::new);
        int cols = 0;
        for (Matrix p : parts) {
            cols += p.cols();
        }
        Matrix out = new Matrix(x.data().rows(), cols);
        int at = 0;
        for (Matrix p : parts) {
            for (int r = 0; r < p.rows(); r++) {
                System.arraycopy(p.data(), r * p.cols(), out.data(), r * cols + at, p.cols());
            }
            at += p.cols();
        }
        return out;
    }
}
