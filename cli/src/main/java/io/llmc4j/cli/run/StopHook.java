package io.llmc4j.cli.run;

import io.llmc4j.engine.journal.RunJournal;
import java.io.PrintWriter;

/**
 * Ctrl-C and SIGTERM: the write that goes on is finished, what the journal has is kept, the user is told how to go on, and the process ends with code 1.
 * Work that the journal does not have is not waited for: it would be lost to kill -9 as well, and a user who stops a run wants it stopped.
 */
final class StopHook implements AutoCloseable {

    private final Thread hook;
    private volatile boolean done;

    private StopHook(RunJournal journal, PrintWriter err) {
        hook = new Thread(() -> {
            if (done) {
                return;
            }
            journal.stop();
            if (done) {
                return;
            }
            err.println();
            err.println(journal.boundary().map(b -> "stopped: " + b.blocksDone() + " of " + journal.blocks() + " blocks are kept; the same command with --resume goes on from there")
                    .orElse("stopped before the first block was done; nothing is kept"));
            err.flush();
            if (journal.boundary().isEmpty()) {
                clear(journal);
            }
            Runtime.getRuntime().halt(1);
        }, "stop");
    }

    /** What is kept is nothing, so nothing should lie about; what cannot be removed is removed by the next run. */
    private static void clear(RunJournal journal) {
        try {
            journal.delete();
        } catch (RuntimeException e) {
            // The user has been told what matters, and the process ends now.
        }
    }

    static StopHook install(RunJournal journal, PrintWriter err) {
        StopHook h = new StopHook(journal, err);
        Runtime.getRuntime().addShutdownHook(h.hook);
        return h;
    }

    /** The run is over: signals have their usual meaning again. */
    @Override
    public void close() {
        done = true;
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // The process is ending already, and the hook sees that there is nothing to do.
        }
    }
}
