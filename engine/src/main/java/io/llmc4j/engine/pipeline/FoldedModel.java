package io.llmc4j.engine.pipeline;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.calibrate.CalibrationSet;
import io.llmc4j.engine.calibrate.Inputs;
import io.llmc4j.engine.calibrate.StateStore;
import io.llmc4j.engine.calibrate.StoredInputs;
import io.llmc4j.engine.method.ModelWork;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Decoder;
import io.llmc4j.engine.model.Hidden;
import io.llmc4j.engine.model.ModelEnds;
import io.llmc4j.engine.model.ModelSpec;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.TreeSet;
import java.util.function.Consumer;

/** The model while the fold has it: its ends, the edits that every block gets, the blocks that are left out. */
final class FoldedModel implements ModelWork {

    private final ModelSource source;
    private final RunConfig config;
    private final Passes passes;
    private final StateStore store;
    private final RunListener listener;
    private final List<Consumer<Block>> edits = new ArrayList<>();
    private final TreeSet<Integer> dropped = new TreeSet<>();
    private final List<String> notes = new ArrayList<>();
    private ModelEnds ends;

    FoldedModel(ModelSource source, RunConfig config, Passes passes, StateStore store, RunListener listener) {
        this.source = source;
        this.config = config;
        this.passes = passes;
        this.store = store;
        this.listener = listener;
        this.ends = source.ends();
    }

    /** The calibration samples as first states. */
    StoredInputs firstStates(String name) {
        CalibrationSet set = config.calibration().orElseThrow(() -> BadInput.of(BadInput.Common.CONFIG,
                "this method needs calibration data; add a calib section, or --calib"));
        StoredInputs states = new StoredInputs(store.states(name), source.spec().hiddenSize());
        for (CalibrationSet.Chunk c : set.chunks(config.memory().chunkTokens())) {
            states.add(c.batch(), passes.decoder().embed(ends, set.ids(c)));
        }
        return states;
    }

    void edit(Block fresh) {
        edits.forEach(e -> e.accept(fresh));
    }

    TreeSet<Integer> dropped() {
        return dropped;
    }

    List<String> notes() {
        return notes;
    }

    @Override
    public ModelSpec spec() {
        return source.spec();
    }

    @Override
    public Decoder decoder() {
        return passes.decoder();
    }

    @Override
    public RunConfig config() {
        return config;
    }

    @Override
    public ModelEnds ends() {
        return ends;
    }

    @Override
    public void setEnds(ModelEnds e) {
        ends = e;
    }

    @Override
    public List<String> beside() {
        return source.beside();
    }

    @Override
    public Block block(int index) {
        Block b = source.block(index);
        edit(b);
        return b;
    }

    @Override
    public String blockPrefix(int index) {
        return source.blockPrefix(index);
    }

    @Override
    public void editBlocks(Consumer<Block> edit) {
        edits.add(edit);
    }

    @Override
    public void drop(int index) {
        dropped.add(index);
    }

    @Override
    public void forEachBlock(Visitor visitor) {
        StoredInputs in = firstStates("statistics pass");
        StoredInputs out = new StoredInputs(store.states("statistics pass"), spec().hiddenSize());
        try {
            for (int i = 0; i < spec().blocks(); i++) {
                listener.phase("statistics of block " + i);
                source.checkUnchanged();
                source.release();
                Block b = block(i);
                passes.run(b, in, out, visitor.hooks(b));
                visitor.after(b, in, out);
                StoredInputs swap = in;
                in = out;
                out = swap;
            }
        } finally {
            in.close();
            out.close();
        }
    }

    @Override
    public SplittableRandom random(String name) {
        return new SplittableRandom(config.seed() * 0x9E3779B97F4A7C15L - 1 + name.hashCode());
    }

    @Override
    public void note(String text) {
        notes.add(text);
        listener.note(text);
    }
}
