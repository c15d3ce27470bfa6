package io.llmc4j.engine.pipeline;

import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.ModelEnds;
import io.llmc4j.engine.model.ModelSpec;
import java.util.List;

/** Where a model comes from: an architecture as data, and its weights, block by block, decoded to float32 on demand. */
public interface ModelSource extends AutoCloseable {

    ModelSpec spec();

    /** Embeddings, final norm, head; tensors stay mapped until {@link #close()}. */
    ModelEnds ends();

    /** A fresh block each call: the caller may change it. */
    Block block(int index);

    /** Prefix of a block's layer names in the checkpoint, "model.layers.3". */
    String blockPrefix(int index);

    /** Parts beside the text model that put states of their own into its residual stream (a vision tower's projector), and are carried over as they are; usually none. */
    default List<String> beside() {
        return List.of();
    }

    /** Throws BadInput when a file of the model is not what it was when it was opened; asked before each block. */
    default void checkUnchanged() {
    }

    /** Lets go of pages of mapped files, so that what was read of them does not count as memory any more; called between blocks. */
    default void release() {
    }

    @Override
    void close();
}
