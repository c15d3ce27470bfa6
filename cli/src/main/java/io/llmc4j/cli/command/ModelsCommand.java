package io.llmc4j.cli.command;

import io.llmc4j.cli.console.Table;
import io.llmc4j.formats.hf.Families;
import io.llmc4j.formats.hf.Family;
import java.io.PrintWriter;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code llmc4j models}: the families that can be read. */
@Command(name = "models", mixinStandardHelpOptions = true, description = "Lists the model families, the architectures that config.json may name, and what sets each apart.")
final class ModelsCommand implements Callable<Integer> {

    private static final int EACH_LINE = 3;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        Table table = new Table("family", "what sets it apart", "methods that do not apply");
        for (Family f : Families.all()) {
            table.row(f.name(), f.quirks(), f.without().isEmpty() ? "-" : f.without());
        }
        table.print(out);
        out.println();
        out.println("All other methods apply (llmc4j methods lists them). OmniQuant's let has no scales for mixtures of experts; its lwc has.");
        out.println();
        Table names = new Table("family", "architectures in config.json");
        for (Family f : Families.all()) {
            List<String> all = f.architectures();
            for (int i = 0; i < all.size(); i += EACH_LINE) {
                names.row(i == 0 ? f.name() : "", String.join(", ", all.subList(i, Math.min(all.size(), i + EACH_LINE))));
            }
        }
        names.print(out);
        return 0;
    }
}
