package io.llmc4j.engine.pipeline;

import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.ModelEnds;
import io.llmc4j.engine.model.StaticKvCache;
import java.nio.file.Path;
import java.util.List;

/**
 * Where a compressed model goes. Blocks come once each, in order; {@link #finish()} makes the directory whole, or nothing appears.
 * The rules of a format are checked when the sink is made, before the first block is read.
 */
public interface ModelSink extends AutoCloseable {

    /** Embeddings, final norm and head as they are to be written (rotations change them); called once, before the first block. */
    void ends(ModelEnds ends);

    /**
     * @param layers one result for each of the block's linear layers, in their order; a result may be made when it is asked for, and asking for the next
     *               lets go of its weights: take one after the other
     */
    void block(Block block, List<LayerResult> layers);

    /**
     * Parameters of a block's static cache of keys and values; comes right after that block. Formats of floats say nothing of rounding at run time and
     * leave it out; those that hold codes refuse such a run before it begins, or write them.
     */
    default void kvCache(Block block, KvCacheScheme scheme, StaticKvCache.Params params) {
    }

    /** Writes what is left, checks, renames. */
    Written finish();

    /**
     * After {@link #finish()}: reads the directory back by the format's reader and compares it with what the run computed. One sentence a difference;
     * empty when all agrees.
     */
    List<String> verify();

    /** Gives up what is unfinished; a no-op after {@link #finish()}. */
    @Override
    void close();

    /** What is on disk now. */
    record Written(Path directory, List<WrittenFile> files, List<String> dropped) { }

    record WrittenFile(String name, long bytes, String sha256) { }
}
