package io.llmc4j.formats.audit;

import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.formats.hf.HfModel;
import java.util.Optional;

/** Looks for the layer whose weight another one holds: layers of one shape that were exchanged. */
final class Neighbours {

    private static final double ALIKE = 0.85;
    private static final int ROWS = 64;

    private final HfModel original;

    Neighbours(HfModel original) {
        this.original = original;
    }

    /** "it holds the weight of …", when one of the original's layers is much like it. */
    Optional<String> whose(int block, Linear layer, Block mine, Matrix stored) {
        for (Linear l : mine.linears()) {
            if (l != layer && alike(l, stored)) {
                return Optional.of("it holds the weight of " + original.blockPrefix(block) + "." + l.name());
            }
        }
        for (int i = 0; i < original.spec().blocks(); i++) {
            if (i == block) {
                continue;
            }
            Block other = original.block(i);
            for (Linear l : other.linears()) {
                if (l.role() == layer.role() && l.expert() == layer.expert() && alike(l, stored)) {
                    return Optional.of("it holds the weight of " + original.blockPrefix(i) + "." + l.name());
                }
                l.release();
            }
        }
        return Optional.empty();
    }

    private static boolean alike(Linear l, Matrix stored) {
        if (l.out() != stored.rows() || l.in() != stored.cols()) {
            return false;
        }
        int n = Math.min(ROWS, stored.rows());
        return MatrixError.of(l.weight().rows(0, n), stored.rows(0, n)).cosine() > ALIKE;
    }
}
