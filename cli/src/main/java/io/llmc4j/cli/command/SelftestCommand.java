package io.llmc4j.cli.command;

import io.llmc4j.cli.console.Table;
import io.llmc4j.cli.report.Json;
import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.SelfTest;
import io.llmc4j.engine.kernel.VectorKernels;
import java.io.PrintWriter;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Visibility;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code llmc4j selftest}: whether this machine computes what it should, before a long run. */
@Command(name = "selftest", mixinStandardHelpOptions = true, showDefaultValues = true, sortOptions = false,
        description = "Holds every kernel on this machine to its definition, bit for bit, and to known answers. Exit code 1 when one differs.")
final class SelftestCommand implements Callable<Integer> {

    @Spec
    private CommandSpec spec;

    @Option(names = "--kernels", paramLabel = "NAME", defaultValue = "vector", description = "the kernels to test: vector, or those of a device")
    private String kernels;

    @Option(names = "--seconds", paramLabel = "S", defaultValue = "8", description = "about how long; more finds rarer faults")
    private double seconds;

    @Option(names = "--json", description = "print JSON to standard output (default: a table)", showDefaultValue = Visibility.NEVER)
    private boolean json;

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        List<SelfTest.Result> results = SelfTest.run(kernels, seconds);
        boolean sound = results.stream().allMatch(SelfTest.Result::sound);
        String machine = machine();
        if (json) {
            out.print(Json.text(Map.of("machine", machine, "sound", sound,
                    "kernels", results.stream().map(r -> Map.of("name", r.what(), "cases", r.cases(), "fault", r.fault())).toList())));
        } else {
            out.println(machine);
            out.println();
            Table table = new Table("kernel", ">cases", "result");
            results.forEach(r -> table.row(r.what(), r.cases(), r.sound() ? "same" : "DIFFERS: " + r.fault()));
            table.print(out);
            out.println();
            out.println(sound ? "all kernels of this machine give the bits of their definitions" : "this machine, its JDK or this program computes wrongly: do not trust a run here; "
                    + "-Dllmc4j.kernels=scalar avoids the vector kernels");
        }
        out.flush();
        return sound ? 0 : 1;
    }

    private String machine() {
        String width = Kernels.named(kernels) instanceof VectorKernels v ? ", vectors of " + v.vectorBits() + " bits" : "";
        return System.getProperty("os.arch") + ", " + Runtime.getRuntime().availableProcessors() + " processors" + width + ", Java " + Runtime.version() + " of "
                + System.getProperty("java.vendor");
    }
}
