package io.llmc4j.engine.method;

import io.llmc4j.engine.calibrate.Inputs;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Decoder;
import io.llmc4j.engine.model.ForwardHooks;
import io.llmc4j.engine.model.ModelEnds;
import io.llmc4j.engine.model.ModelSpec;
import io.llmc4j.engine.pipeline.RunConfig;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Consumer;

/** The whole model in the hands of a stage, before the first block: {@link Stage#prepare}. */
public interface ModelWork {

    ModelSpec spec();

    Decoder decoder();

    RunConfig config();

    /** Embeddings, final norm and head as they are now. */
    ModelEnds ends();

    /** Replaces them: the calibration states, the evaluations after compression and the written model use these. */
    void setEnds(ModelEnds ends);

    /** As {@link io.llmc4j.engine.pipeline.ModelSource#beside}. */
    List<String> beside();

    /** A fresh block with the edits registered so far; changing it changes nothing else. */
    Block block(int index);

    /** Full name prefix of a block, "model.layers.3". */
    String blockPrefix(int index);

    /** Edits every block (weights, norms, online rotations) as soon as it is read, before any stage sees it. */
    void editBlocks(Consumer<Block> edit);

    /** This block is left out of the compressed model: states pass it by, the sink never sees it. */
    void drop(int index);

    /**
     * One pass of the float model over the calibration data, block by block.
     *
     * @param visitor may give hooks for a block and sees its inputs and outputs afterwards
     */
    void forEachBlock(Visitor visitor);

    SplittableRandom random(String name);

    /** One line for the report. */
    void note(String text);

    /** Watches a pass over all blocks. */
    interface Visitor {

        /** Hooks of the forward passes of this block, one pass a chunk of calibration samples. */
        default ForwardHooks hooks(Block block) {
            return ForwardHooks.NONE;
        }

        /** After a block: its inputs and outputs, chunk by chunk. */
        default void after(Block block, Inputs inputs, Inputs outputs) {
        }
    }
}
