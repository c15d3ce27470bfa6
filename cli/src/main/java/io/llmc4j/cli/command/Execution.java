package io.llmc4j.cli.command;

import io.llmc4j.cli.config.LlmcConfig;
import io.llmc4j.cli.run.DeviceSession;
import io.llmc4j.cli.run.Job;
import io.llmc4j.cli.run.Outputs;
import io.llmc4j.cli.run.PlanPrinter;
import io.llmc4j.cli.run.Resolver;
import io.llmc4j.cli.run.Runner;
import io.llmc4j.engine.journal.RunJournal;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine;

/** What {@code run} and {@code quantize} do once they have a configuration. */
final class Execution {

    private Execution() {
    }

    static int run(LlmcConfig config, List<Outputs.Target> targets, Optional<Path> report, RunOptions options, CommandLine line) {
        options.setThreads();
        options.device.math();
        if (options.dryRun) {
            options.device.choice();
            return run(config, targets, report, options, line, line.getErr());
        }
        try (DeviceSession device = options.device.open(line.getErr()::println)) {
            return run(config, targets, report, options, line, line.getErr());
        }
    }

    private static int run(LlmcConfig config, List<Outputs.Target> targets, Optional<Path> report, RunOptions options, CommandLine line, PrintWriter err) {
        // Where an earlier process came as far as the renames, the outputs are there already, and its own.
        boolean renaming = options.resume && Runner.place(targets, report).flatMap(RunJournal::find).map(RunJournal.Found::prepared).orElse(false);
        try (Job resolved = Resolver.resolve(config, targets, report, options.overwrite || renaming, options.dryRun)) {
            Job job = options.memory.map(resolved::within).orElse(resolved);
            job.notices().forEach(n -> err.println("note: " + n));
            err.flush();
            if (options.dryRun) {
                PlanPrinter.print(job, options.json, line.getOut());
                return 0;
            }
            return new Runner(job, options.overwrite, options.resume, options.json, line.getOut(), err).run();
        }
    }
}
