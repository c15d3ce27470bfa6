package io.llmc4j.cli.command;

import io.llmc4j.cli.config.MethodCard;
import io.llmc4j.cli.config.Nearest;
import io.llmc4j.cli.config.SpecialKeys;
import io.llmc4j.cli.console.Table;
import io.llmc4j.cli.run.Available;
import io.llmc4j.cli.run.Carriers;
import io.llmc4j.engine.BadInput;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code llmc4j methods}: the methods, and the settings of one. */
@Command(name = "methods", mixinStandardHelpOptions = true,
        description = "Lists the methods; with a NAME, tells its settings, their defaults and what they mean.")
final class MethodsCommand implements Callable<Integer> {

    @Spec
    private CommandSpec spec;

    @Parameters(index = "0", arity = "0..1", paramLabel = "NAME", description = "a method (default: all of them)")
    private Optional<String> name = Optional.empty();

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        if (name.isPresent()) {
            one(card(name.get()), out);
        } else {
            all(out);
        }
        out.flush();
        return 0;
    }

    private static void all(PrintWriter out) {
        Table table = new Table("method", "paper", "stage", "needs", "weights", "activations", "exports", "use it for");
        for (MethodCard c : MethodCard.all()) {
            table.row(c.name(), c.paper(), c.stage(), c.needs(), c.weights(), c.acts(), Carriers.text(c.name()), c.use());
        }
        table.print(out);
        out.println();
        out.println("llmc4j methods NAME tells a method's settings. Numbers are arXiv's.");
    }

    private static void one(MethodCard c, PrintWriter out) {
        out.println(c.name() + ": " + c.title() + (c.paper().equals("-") ? "" : " (" + (c.paper().matches("[0-9.]+") ? "arXiv " : "") + c.paper() + ")"));
        out.println("stage: " + c.stage() + "; needs: " + c.needs() + "; weights: " + c.weights() + "; activations: " + c.acts());
        out.println("use it for: " + c.use());
        out.println("exports that can carry it: " + String.join(", ", Carriers.of(c.name())) + (c.name().equals("GPTQ") ? "; with act-order and dynamic groups vllm, compressed-tensors, gptq and gptq_v2 only, and floats" : ""));
        if (!Available.method(c.name())) {
            out.println("this method is not here yet");
        }
        settings("its own settings (quant.special in a file, --set with quantize)", SpecialKeys.own(c.name()), out);
        if (!c.stage().equals("prune")) {
            settings("settings of every method", SpecialKeys.common(), out);
        }
    }

    private static void settings(String heading, List<SpecialKeys.Setting> settings, PrintWriter out) {
        if (settings.isEmpty()) {
            return;
        }
        out.println();
        out.println(heading + ":");
        Table table = new Table("  key", "type", "default", "meaning");
        for (SpecialKeys.Setting s : settings) {
            String type = s.choices().isEmpty() ? s.type().name().toLowerCase(Locale.ROOT) : String.join(" or ", s.choices());
            table.row("  " + s.name(), type, s.otherwise().isEmpty() ? "not set" : s.otherwise(), s.meaning());
        }
        table.print(out);
    }

    private static MethodCard card(String name) {
        List<String> names = new ArrayList<>();
        MethodCard.all().forEach(c -> names.add(c.name()));
        String plain = io.llmc4j.cli.config.MethodNames.resolve(name).orElse(name);
        return MethodCard.all().stream().filter(c -> c.name().equalsIgnoreCase(plain)).findFirst().orElseThrow(() -> BadInput.of(BadInput.Common.USAGE,
                "there is no method '%s'; methods are %s%s", name, String.join(", ", names), Nearest.hint(name, names)));
    }
}
