package io.llmc4j.engine.journal;

import io.llmc4j.engine.calibrate.StateStore;
import io.llmc4j.engine.model.Hidden;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The store that stages see: it remembers which lists are open, so that those that stages keep from block to block can be saved, and gives them
 * back, filled, when a stage of a resumed run asks for a list of that name for the first time.
 */
public final class CarriedStates implements StateStore {

    private final StateStore store;
    private final List<Tracked> open = new ArrayList<>();
    private final List<Tracked> waiting = new ArrayList<>();

    public CarriedStates(StateStore store) {
        this.store = store;
    }

    @Override
    public States states(String name) {
        for (Tracked t : waiting) {
            if (t.name.equals(name)) {
                waiting.remove(t);
                open.add(t);
                return t;
            }
        }
        Tracked t = new Tracked(name, store.states(name));
        open.add(t);
        return t;
    }

    /** A list that a stage will ask for by this name; to be filled. */
    public States restore(String name) {
        Tracked t = new Tracked(name, store.states(name));
        waiting.add(t);
        return t;
    }

    /** Names of the lists that are open now, in the order of opening; equal names may come twice. */
    public List<String> names() {
        return open.stream().map(t -> t.name).toList();
    }

    /** The open lists as "carried.0", "carried.1", in the order of {@link #names()}. */
    Map<String, States> numbered() {
        Map<String, States> out = new LinkedHashMap<>();
        for (int i = 0; i < open.size(); i++) {
            out.put("carried." + i, open.get(i));
        }
        return out;
    }

    @Override
    public long memoryBytes() {
        return store.memoryBytes();
    }

    @Override
    public long diskBytes() {
        return store.diskBytes();
    }

    /** The store below belongs to the run. */
    @Override
    public void close() {
        List.copyOf(open).forEach(Tracked::close);
        List.copyOf(waiting).forEach(Tracked::close);
    }

    private final class Tracked implements States {

        private final String name;
        private final States states;

        Tracked(String name, States states) {
            this.name = name;
            this.states = states;
        }

        @Override
        public void put(int index, Hidden state) {
            states.put(index, state);
        }

        @Override
        public Hidden get(int index) {
            return states.get(index);
        }

        @Override
        public int size() {
            return states.size();
        }

        @Override
        public boolean has(int index) {
            return states.has(index);
        }

        @Override
        public int batch(int index) {
            return states.batch(index);
        }

        @Override
        public int rows(int index) {
            return states.rows(index);
        }

        @Override
        public int features() {
            return states.features();
        }

        @Override
        public void close() {
            states.close();
            open.remove(this);
            waiting.remove(this);
        }
    }
}
