package io.llmc4j.engine.pipeline;

import io.llmc4j.engine.model.ModelEnds;

/**
 * A sink whose work another process can take up where a journal says that it stands. A sink that is made writes nothing: {@link #ends} begins,
 * or {@link #resume} goes on. Its end has two steps, so that several sinks appear together as nearly as renames allow.
 */
public interface ResumableSink extends ModelSink {

    /** Puts all that came so far on the disk, and tells what {@link #resume} needs; whatever comes later may be lost. */
    String mark();

    /**
     * Instead of {@link #ends}: goes on where {@code mark} was made; the next call brings the block after it. Throws BadInput (OUTPUT) when what was
     * written is not there any more.
     */
    void resume(ModelEnds ends, String mark);

    /** All blocks came: writes what is left and checks. All is on the disk then, under hidden names. */
    Written prepare();

    /** The rename. Called again after a crash, it finishes what is left to do. */
    void commit();

    /** After a crash in or behind {@link #commit}: instead of {@link #resume}, when only commit and verify are left. */
    void resumeCommit(ModelEnds ends, String mark);

    /** Closes and keeps what is unfinished, for {@link #resume} in another process. */
    void suspend();

    @Override
    default Written finish() {
        Written w = prepare();
        commit();
        return w;
    }
}
