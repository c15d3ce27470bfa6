package io.llmc4j.cli.command;

import io.llmc4j.cli.console.Table;
import io.llmc4j.formats.hf.Families;
import io.llmc4j.formats.hf.Family;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code llmc4j models}: the families that can be read. */
@Command(name = "models", mixinStandardHelpOptions = true, description = "Lists the model families, the architectures that config.json may name, and what sets each apart.")
final class ModelsCommand implements Callable<Integer> {

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        Table table = new Table("family", "architectures", "what sets it apart");
        for (Family f : Families.all()) {
            table.row(f.name(), String.join(", ", f.architectures()), f.quirks());
        }
        table.print(out);
        return 0;
    }
}
