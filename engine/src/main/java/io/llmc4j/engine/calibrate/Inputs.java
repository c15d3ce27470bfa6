package io.llmc4j.engine.calibrate;

import io.llmc4j.engine.model.Hidden;

/**
 * States of the calibration samples at one place of the model, in chunks that fit an array; samples are in order and no sample is cut.
 * A logical batch ({@code calib.bs}) is one or more consecutive chunks.
 */
public interface Inputs {

    int chunks();

    /** A copy on the heap, the caller's own. Experts: batch 1, tokens = routed tokens. */
    Hidden chunk(int index);

    /** The logical batch that a chunk belongs to; not decreasing. */
    int batchOf(int chunk);

    /** Sequences of a chunk (experts: 1). */
    int samples(int chunk);

    /** Rows of a chunk: sequences times tokens. */
    int rows(int chunk);

    int features();

    /** Rows of all chunks. */
    default long rows() {
        long n = 0;
        for (int i = 0; i < chunks(); i++) {
            n += rows(i);
        }
        return n;
    }
}
