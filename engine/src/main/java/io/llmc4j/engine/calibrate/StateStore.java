package io.llmc4j.engine.calibrate;

import io.llmc4j.engine.model.Hidden;

/** Where hidden states wait between blocks: outside the heap, within a budget, beyond it in a temporary file. Closing frees everything. */
public interface StateStore extends AutoCloseable {

    /** A new, empty list of states. */
    States states(String name);

    /** Bytes that the states of this store take now, in memory and on disk. */
    long memoryBytes();

    long diskBytes();

    @Override
    void close();

    /** Numbered states. Putting at a number again replaces what was there; reading gives a copy. Not thread-safe. */
    interface States extends AutoCloseable {

        void put(int index, Hidden state);

        /** Throws IllegalArgumentException when nothing was put there. */
        Hidden get(int index);

        /** One more than the largest number put. */
        int size();

        boolean has(int index);

        int batch(int index);

        int rows(int index);

        int features();

        @Override
        void close();
    }
}
