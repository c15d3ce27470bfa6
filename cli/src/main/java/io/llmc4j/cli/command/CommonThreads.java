package io.llmc4j.cli.command;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.kernel.Parallel;
import java.util.Optional;

/** {@code --threads}, of every command that computes. */
final class CommonThreads {

    private CommonThreads() {
    }

    static void set(Optional<Integer> threads) {
        if (threads.isPresent()) {
            if (threads.get() < 1 || threads.get() > 4096) {
                throw BadInput.of(BadInput.Common.USAGE, "--threads is %d; it has to be 1 to 4096", threads.get());
            }
            Parallel.setThreads(threads.get());
        }
    }
}
