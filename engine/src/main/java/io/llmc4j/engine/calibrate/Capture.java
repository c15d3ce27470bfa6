package io.llmc4j.engine.calibrate;

import io.llmc4j.engine.method.Need;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.ForwardHooks;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.Subset;
import io.llmc4j.engine.model.Waypoint;
import io.llmc4j.engine.tensor.Matrix;
import java.util.HashMap;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;

/**
 * Hooks that gather for some layers of a block. Layers of one subset that read the same matrix share one {@link Gathering}: q, k and v are
 * gathered once.
 */
public final class Capture implements ForwardHooks {

    /** Thrown out of a pass when all that was wanted of this chunk has been seen. */
    public static final class Enough extends RuntimeException {
        private static final Enough INSTANCE = new Enough();

        private Enough() {
            super("the pass ended early on purpose", null, false, false);
        }
    }

    private final Block block;
    private final Set<String> wanted;
    private final Set<Need> what;
    private final StateStore store;
    private final boolean stopEarly;
    private final Map<String, Integer> subsetOf = new HashMap<>();
    private final Map<String, Gathering> byLayer = new HashMap<>();
    private final Map<String, String> ownerOf = new HashMap<>();
    private final Map<Integer, Map<Matrix, String>> seenInChunk = new HashMap<>();
    private final Set<String> doneInChunk = new HashSet<>();
    private ForwardHooks places = ForwardHooks.NONE;
    private Gathering mlp;
    private int logicalBatch;
    private boolean allTokens;
    private Map<Integer, Integer> tokensOf = Map.of();
    private long[] expertTokens = new long[0];
    private long tokens;

    /**
     * @param wanted    names of layers
     * @param stopEarly end the pass of a chunk when all of them have been seen ({@link Enough} comes out of the decoder)
     */
    public Capture(Block block, Set<String> wanted, Set<Need> what, StateStore store, boolean stopEarly) {
        this.block = block;
        this.wanted = Set.copyOf(wanted);
        this.what = Set.copyOf(what);
        this.store = store;
        this.stopEarly = stopEarly;
        List<Subset> subsets = block.subsets();
        for (int i = 0; i < subsets.size(); i++) {
            for (String name : subsets.get(i).layers()) {
                subsetOf.putIfAbsent(name, i);
            }
        }
    }

    /** Every expert sees every token. */
    public Capture allTokens(boolean on) {
        allTokens = on;
        return this;
    }

    /** @param whose experts that see the tokens of others where they have none of their own */
    public Capture tokensOf(Map<Integer, Integer> whose) {
        tokensOf = Map.copyOf(whose);
        return this;
    }

    /** @param known what is asked for the matrices at places inside the pass */
    public Capture from(ForwardHooks known) {
        places = known;
        return this;
    }

    /** How many tokens chose each expert so far; empty before the first one or where there are no experts. */
    public long[] expertTokens() {
        return expertTokens.clone();
    }

    /** How many tokens came to the feed-forward half. */
    public long tokens() {
        return tokens;
    }

    @Override
    public void beginChunk(int index, int batch) {
        places.beginChunk(index, batch);
        logicalBatch = batch;
        seenInChunk.clear();
        doneInChunk.clear();
    }

    /** By layer name; layers that share an input share the value. */
    public Map<String, Gathering> byLayer() {
        return byLayer;
    }

    /** The input of a feed-forward half with experts, when inputs were wanted of any of its layers. */
    public java.util.Optional<Gathering> mlp() {
        return java.util.Optional.ofNullable(mlp);
    }

    @Override
    public Matrix at(Waypoint place, Supplier<Matrix> compute) {
        return places.at(place, compute);
    }

    @Override
    public boolean allTokensToAllExperts() {
        return allTokens;
    }

    @Override
    public int tokensOf(int expert) {
        return tokensOf.getOrDefault(expert, expert);
    }

    @Override
    public void expertTokens(Block b, int expert, int n) {
        if (expertTokens.length == 0) {
            expertTokens = new long[b.spec().feedForward().experts().orElseThrow().count()];
        }
        expertTokens[expert] += n;
    }

    @Override
    public void mlpInput(Block b, Matrix x, int batch, int tokens) {
        this.tokens += x.rows();
        boolean experts = block.spec().feedForward().experts().isPresent();
        if (experts && what.contains(Need.INPUTS) && wanted.stream().anyMatch(n -> block.linear(n).expert() >= 0 || block.linear(n).role().isRouter())) {
            if (mlp == null) {
                mlp = new Gathering(Set.of(Need.INPUTS), x.cols(), store, "mlp");
            }
            mlp.add(block.linears().getFirst(), x, batch, tokens, logicalBatch, false);
        }
    }

    @Override
    public void linearInput(Linear layer, Matrix x, int batch, int tokens) {
        String name = layer.name();
        if (!wanted.contains(name)) {
            return;
        }
        Map<Matrix, String> seen = seenInChunk.computeIfAbsent(subsetOf.getOrDefault(name, -1), k -> new IdentityHashMap<>());
        String owner = ownerOf.get(name);
        if (owner == null) {
            owner = subsetOf.containsKey(name) ? seen.getOrDefault(x, name) : name;
            ownerOf.put(name, owner);
            byLayer.put(name, owner.equals(name) ? new Gathering(what, layer.in(), store, name) : byLayer.get(owner));
        }
        seen.putIfAbsent(x, owner);
        if (owner.equals(name)) {
            byLayer.get(name).add(layer, x, batch, tokens, logicalBatch, layer.expert() >= 0);
        }
        doneInChunk.add(owner);
        if (stopEarly && ownerOf.size() == wanted.size() && doneInChunk.containsAll(ownerOf.values())) {
            throw Enough.INSTANCE;
        }
    }
}
