package io.llmc4j.engine.calibrate;

import io.llmc4j.engine.model.Hidden;
import java.util.ArrayList;
import java.util.List;

/** {@link Inputs} over a {@link StateStore.States}, with the logical batch of each chunk. */
public final class StoredInputs implements Inputs, AutoCloseable {

    private final StateStore.States states;
    private final List<Integer> batches = new ArrayList<>();
    private final int features;

    public StoredInputs(StateStore.States states, int features) {
        this.states = states;
        this.features = features;
    }

    /** What is stored, by chunk. */
    public StateStore.States states() {
        return states;
    }

    /** Appends a chunk. */
    public void add(int batch, Hidden h) {
        states.put(batches.size(), h);
        batches.add(batch);
    }

    /** Replaces a chunk by one of the same batch. */
    public void set(int chunk, Hidden h) {
        states.put(chunk, h);
    }

    @Override
    public int chunks() {
        return batches.size();
    }

    @Override
    public Hidden chunk(int index) {
        return states.get(index);
    }

    @Override
    public int batchOf(int chunk) {
        return batches.get(chunk);
    }

    @Override
    public int samples(int chunk) {
        return states.batch(chunk);
    }

    @Override
    public int rows(int chunk) {
        return states.rows(chunk);
    }

    @Override
    public int features() {
        return features;
    }

    @Override
    public void close() {
        states.close();
        batches.clear();
    }
}
