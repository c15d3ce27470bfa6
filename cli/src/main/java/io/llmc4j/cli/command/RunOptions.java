package io.llmc4j.cli.command;

import io.llmc4j.engine.BadInput;
import java.util.Optional;
import picocli.CommandLine.Help.Visibility;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Options that {@code run} and {@code quantize} share. */
final class RunOptions {

    @Option(names = "--dry-run", description = "check everything and print the plan, compute nothing (default: false)", showDefaultValue = Visibility.NEVER)
    boolean dryRun;

    @Option(names = "--json", description = "print the report (with --dry-run: the plan) as JSON to standard output (default: a table)",
            showDefaultValue = Visibility.NEVER)
    boolean json;

    @Option(names = "--overwrite", description = "replace what is in the output directory (default: refuse unless it is empty)",
            showDefaultValue = Visibility.NEVER)
    boolean overwrite;

    @Option(names = "--memory", paramLabel = "SIZE", description = "a bound for the whole process, like 6g: fewer tokens flow at once, and states that do not fit go to a file; "
            + "what cannot fit is refused (default: three quarters of the machine)", showDefaultValue = Visibility.NEVER)
    Optional<String> memory = Optional.empty();

    @Option(names = "--resume", description = "go on with a run into this output that was stopped or killed; the bytes are those of a run that was not "
            + "(default: refuse when there is one)", showDefaultValue = Visibility.NEVER)
    boolean resume;

    @Option(names = "--compat", paramLabel = "WHOM", description = "llmc: LLMC's number where LLMC is oddly or plainly wrong (default: none)",
            showDefaultValue = Visibility.NEVER)
    Optional<String> compat = Optional.empty();

    @Option(names = "--threads", paramLabel = "N", description = "threads; the result is the same for any number (default: all processors)",
            showDefaultValue = Visibility.NEVER)
    Optional<Integer> threads = Optional.empty();

    @Mixin
    DeviceOptions device;

    boolean llmcCompatible() {
        if (compat.isPresent() && !compat.get().equals("llmc") && !compat.get().equals("none")) {
            throw BadInput.of(BadInput.Common.USAGE, "--compat is '%s'; it can be llmc or none", compat.get());
        }
        return compat.isPresent() && compat.get().equals("llmc");
    }

    void setThreads() {
        CommonThreads.set(threads);
    }
}
