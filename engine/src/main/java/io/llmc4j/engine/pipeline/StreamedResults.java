package io.llmc4j.engine.pipeline;

import io.llmc4j.engine.model.Linear;
import java.util.AbstractList;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * The results of a block's layers, each made when it is asked for: the weights of the layer asked for before are let go. So a block of hundreds of
 * experts needs the memory of one. Who asks twice has it made twice.
 */
final class StreamedResults extends AbstractList<LayerResult> {

    private final List<Linear> layers;
    private final Function<Linear, LayerResult> maker;
    private final Consumer<LayerResult> first;
    private final Runnable released;
    private final BitSet made = new BitSet();
    private int at = -1;

    /**
     * @param first    is told of each result once
     * @param released is run whenever a layer was let go
     */
    StreamedResults(List<Linear> layers, Function<Linear, LayerResult> maker, Consumer<LayerResult> first, Runnable released) {
        this.layers = layers;
        this.maker = maker;
        this.first = first;
        this.released = released;
    }

    @Override
    public LayerResult get(int index) {
        if (at >= 0 && at != index) {
            layers.get(at).release();
            released.run();
        }
        at = index;
        return make(index);
    }

    private LayerResult make(int index) {
        LayerResult r = maker.apply(layers.get(index));
        if (!made.get(index)) {
            made.set(index);
            first.accept(r);
        }
        return r;
    }

    /** All at once, nothing let go. */
    List<LayerResult> together() {
        List<LayerResult> out = new ArrayList<>();
        for (int i = 0; i < layers.size(); i++) {
            out.add(make(i));
        }
        return List.copyOf(out);
    }

    @Override
    public int size() {
        return layers.size();
    }

    /** Makes what nobody asked for, and lets go of all. */
    void finish() {
        for (int i = made.nextClearBit(0); i < layers.size(); i = made.nextClearBit(i)) {
            get(i);
        }
        layers.forEach(Linear::release);
        released.run();
    }
}
