package io.llmc4j.cli.command;

import io.llmc4j.cli.config.Nearest;
import io.llmc4j.cli.console.Text;
import io.llmc4j.cli.run.RunFailed;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.json.Json;
import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.UsageMessageSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.UnmatchedArgumentException;

/** The top of the command line: what the commands are, and how errors are told. */
@Command(name = "llmc4j", version = "llmc4j 0.1.0", mixinStandardHelpOptions = true,
        description = "Compresses large language models on a JVM alone: reads a model directory, writes a compressed one, and checks what it wrote.",
        customSynopsis = "llmc4j [-hV] COMMAND",
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {" 0:done", " 1:the run failed", " 2:bad input or usage; nothing was written", " 3:finished, but the check of the written model failed; audit: unsound, diff: different"},
        footer = {"", "llmc4j COMMAND --help tells a command's options and their defaults."})
public final class Llmc4j implements Runnable {

    /** The only list of commands, in the order of the help text. */
    private static final Map<String, Class<?>> COMMANDS = commands(
            QuantizeCommand.class, RunCommand.class, EvalCommand.class, AuditCommand.class, DiffCommand.class, InspectCommand.class,
            ConvertCommand.class, ImatrixCommand.class, MethodsCommand.class, ModelsCommand.class, DevicesCommand.class, SelftestCommand.class, BenchCommand.class);

    private static final int HELP_WIDTH = 120;

    @Spec
    private CommandSpec spec;

    private static Map<String, Class<?>> commands(Class<?>... classes) {
        Map<String, Class<?>> m = new LinkedHashMap<>();
        for (Class<?> c : classes) {
            m.put(c.getAnnotation(Command.class).name(), c);
        }
        return m;
    }

    public static List<String> commands() {
        return List.copyOf(COMMANDS.keySet());
    }

    /**
     * A command line that prints to these writers. Building a command's options takes longer than most commands that only tell something, so just the
     * command that is called is built.
     */
    public static CommandLine commandLine(PrintWriter out, PrintWriter err, String... args) {
        CommandLine line = new CommandLine(new Llmc4j());
        for (String a : args) {
            if (COMMANDS.containsKey(a)) {
                line.addSubcommand(a, COMMANDS.get(a));
                break;
            }
        }
        line.getHelpSectionMap().put(UsageMessageSpec.SECTION_KEY_COMMAND_LIST_HEADING, help -> String.format("%nCommands:%n"));
        line.getHelpSectionMap().put(UsageMessageSpec.SECTION_KEY_COMMAND_LIST, help -> list());
        line.setOut(out);
        line.setErr(err);
        line.setExecutionExceptionHandler(Llmc4j::failed);
        line.setParameterExceptionHandler(Llmc4j::misused);
        line.setColorScheme(CommandLine.Help.defaultColorScheme(CommandLine.Help.Ansi.OFF));
        line.setUsageHelpWidth(HELP_WIDTH);
        line.getSubcommands().values().forEach(c -> {
            CommandSpec s = c.getCommandSpec();
            s.usageMessage().exitCodeListHeading(line.getCommandSpec().usageMessage().exitCodeListHeading());
            s.usageMessage().exitCodeList(line.getCommandSpec().usageMessage().exitCodeList());
        });
        return line;
    }

    private static String list() {
        StringBuilder s = new StringBuilder();
        COMMANDS.forEach((name, c) -> s.append(String.format("  %-10s", name))
                .append(Text.wrap(String.join(" ", c.getAnnotation(Command.class).description()), HELP_WIDTH - 12, " ".repeat(12)).replace("\n", System.lineSeparator()))
                .append(System.lineSeparator()));
        return s.toString();
    }

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "a command is missing");
    }

    /** Bad input is a sentence and exit code 2, what became of a run on its way is one and exit code 1; everything else is a bug, with its stack, and exit code 1. */
    private static int failed(Exception e, CommandLine line, CommandLine.ParseResult parsed) {
        BadInput bad = e instanceof RunFailed f ? f.what() : e instanceof BadInput b ? b : null;
        if (bad != null) {
            if (last(parsed).hasMatchedOption("--json")) {
                Map<String, Object> error = new LinkedHashMap<>();
                error.put("kind", bad.kind().name());
                error.put("message", bad.getMessage());
                line.getOut().print(Json.indented(Map.of("error", error)));
                line.getOut().flush();
            }
            line.getErr().println(bad.getMessage());
            line.getErr().flush();
            return e instanceof RunFailed ? CommandLine.ExitCode.SOFTWARE : CommandLine.ExitCode.USAGE;
        }
        line.getErr().println("llmc4j failed; this is not your input's fault, please report it with what follows");
        e.printStackTrace(line.getErr());
        line.getErr().flush();
        return CommandLine.ExitCode.SOFTWARE;
    }

    /** What was parsed for the command itself, not for the program. */
    private static CommandLine.ParseResult last(CommandLine.ParseResult parsed) {
        return parsed.hasSubcommand() ? last(parsed.subcommand()) : parsed;
    }

    private static int misused(ParameterException e, String[] args) {
        CommandLine line = e.getCommandLine();
        PrintWriter err = line.getErr();
        String command = e instanceof UnmatchedArgumentException u && line.getParent() == null && !u.getUnmatched().isEmpty()
                && !u.getUnmatched().getFirst().startsWith("-") ? u.getUnmatched().getFirst() : "";
        err.println("llmc4j: " + (command.isEmpty() ? e.getMessage() : "there is no command '" + command + "'"));
        List<String> near = e instanceof UnmatchedArgumentException u ? u.getSuggestions() : List.of();
        if (!command.isEmpty()) {
            near = Nearest.to(command, COMMANDS.keySet()).map(List::of).orElse(List.of());
        }
        if (!near.isEmpty()) {
            err.println("did you mean " + String.join(" or ", near) + "?");
        }
        err.println("see " + line.getCommandSpec().qualifiedName() + " --help");
        err.flush();
        return CommandLine.ExitCode.USAGE;
    }
}
