package io.llmc4j.cli.command;

import io.llmc4j.cli.console.Progress;
import io.llmc4j.cli.report.AuditJson;
import io.llmc4j.cli.report.AuditTable;
import io.llmc4j.engine.json.Json;
import io.llmc4j.formats.audit.CodeDifference;
import io.llmc4j.formats.audit.Diff;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Visibility;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code llmc4j diff}: the codes of two quantized models. */
@Command(name = "diff", mixinStandardHelpOptions = true, showDefaultValues = true, sortOptions = false,
        description = "Compares two quantized directories of one architecture, which may have different formats: schemes, codes, scales and zero points, layer by layer. Ends with code 0 "
                + "when all codes and zero points are the same and 3 when they are not.",
        footer = {"", "Example:", "  llmc4j diff out-vllm out-gptq"})
final class DiffCommand implements Callable<Integer> {

    private static final int DIFFERENT = 3;

    @Spec
    private CommandSpec spec;

    @Parameters(index = "0", paramLabel = "LEFT", description = "a quantized model directory")
    private Path left;

    @Parameters(index = "1", paramLabel = "RIGHT", description = "another one")
    private Path right;

    @Option(names = "--json", description = "print JSON (default: a table)", showDefaultValue = Visibility.NEVER)
    private boolean json;

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        Progress progress = Progress.of(spec.commandLine().getErr());
        try {
            CodeDifference d = Diff.of(left, right, (what, done, of) -> {
                progress.total(of);
                progress.at(done, what);
            });
            progress.clear();
            if (json) {
                out.print(Json.indented(AuditJson.difference(d)));
                out.flush();
            } else {
                AuditTable.print(d, out);
            }
            return d.same() ? 0 : DIFFERENT;
        } finally {
            progress.clear();
        }
    }
}
