package io.llmc4j.engine.pipeline;

import io.llmc4j.engine.calibrate.StateStore;
import io.llmc4j.engine.calibrate.StoredInputs;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.ForwardHooks;
import io.llmc4j.engine.model.Hidden;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.Waypoint;
import io.llmc4j.engine.tensor.Matrix;
import java.util.Collection;
import java.util.EnumMap;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/**
 * Matrices at the waypoints of a block whose layers are rounded one subset after the other: a pass for the next subset goes on from the last place that can
 * no longer change, with the bits that it would compute. A change of a layer on which a place depends makes its matrices void.
 */
final class KnownPlaces implements ForwardHooks {

    private record Known(StoredInputs states, Map<Linear, Integer> revisions) {

        boolean holds() {
            return revisions.entrySet().stream().allMatch(e -> e.getKey().revision() == e.getValue());
        }
    }

    private final Block block;
    private final StateStore store;
    private final Map<Waypoint, Known> known = new EnumMap<>(Waypoint.class);
    private Set<String> settled = Set.of();
    private boolean records;
    private int chunk;
    private int batch;

    KnownPlaces(Block block, StateStore store) {
        this.block = block;
        this.store = store;
    }

    /** Before a pass for layers after these, which no longer change: it goes on from what is known, and what it learns about them is kept. */
    KnownPlaces behind(Collection<String> layers) {
        settled = Set.copyOf(layers);
        records = true;
        if (known.containsKey(Waypoint.ATTENTION)) {
            forget(Waypoint.MIXED);
        }
        return this;
    }

    /** Before the pass behind which nothing is asked any more. */
    KnownPlaces last() {
        settled = block.linears().stream().map(Linear::name).collect(Collectors.toSet());
        records = false;
        return this;
    }

    @Override
    public void beginChunk(int index, int logicalBatch) {
        chunk = index;
        batch = logicalBatch;
    }

    @Override
    public Matrix at(Waypoint place, Supplier<Matrix> compute) {
        if (block.linears().stream().anyMatch(l -> place.dependsOn(l) && !settled.contains(l.name()))) {
            return compute.get();
        }
        Known k = known.get(place);
        if (k != null && !k.holds()) {
            forget(place);
            k = null;
        }
        if (k != null && chunk < k.states.chunks()) {
            return k.states.chunk(chunk).data();
        }
        Matrix m = compute.get();
        if (records) {
            if (chunk == 0) {
                known.put(place, new Known(new StoredInputs(store.states(place.name()), m.cols()),
                        block.linears().stream().filter(place::dependsOn).collect(Collectors.toMap(l -> l, Linear::revision))));
            }
            known.get(place).states.add(batch, new Hidden(1, m.rows(), m));
        }
        return m;
    }

    private void forget(Waypoint place) {
        Known k = known.remove(place);
        if (k != null) {
            k.states.close();
        }
    }

    /** Nothing is asked any more, or what the block computes has changed elsewhere than in its linear layers. */
    void forget() {
        known.values().forEach(k -> k.states.close());
        known.clear();
    }
}
