package io.llmc4j.cli.command;

import io.llmc4j.cli.config.ConfigReader;
import io.llmc4j.cli.config.LlmcConfig;
import io.llmc4j.cli.run.Outputs;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Visibility;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code llmc4j run}: a run as one of LLMC's files describes it. */
@Command(name = "run", mixinStandardHelpOptions = true, showDefaultValues = true, sortOptions = false,
        description = "Runs one of LLMC's configuration files. What is saved goes to LLMC's sub-directories of save.save_path.",
        footer = {"", "Example:", "  llmc4j run --config cli/src/main/resources/configs/awq.yml --set model.path=/models/x --set save.save_path=/out/x"})
final class RunCommand implements Callable<Integer> {

    @Spec
    private CommandSpec spec;

    @Option(names = {"-c", "--config"}, paramLabel = "FILE", required = true, description = "the configuration, YAML")
    private Path file;

    @Option(names = "--set", paramLabel = "KEY=VALUE", description = "replaces or adds one value, for example quant.weight.bit=3; may be repeated (default: none)",
            showDefaultValue = Visibility.NEVER)
    private List<String> overrides = new ArrayList<>();

    @Option(names = "--seed", paramLabel = "N", description = "of every random draw (default: the file's base.seed)", showDefaultValue = Visibility.NEVER)
    private Optional<Integer> seed = Optional.empty();

    @Option(names = "--task-id", paramLabel = "ID", description = "accepted as LLMC's launcher gives it; does nothing (default: none)",
            showDefaultValue = Visibility.NEVER)
    private Optional<String> task = Optional.empty();

    @Mixin
    private RunOptions options;

    @Override
    public Integer call() {
        List<String> set = new ArrayList<>(overrides);
        seed.ifPresent(s -> set.add("base.seed=" + s));
        LlmcConfig config = ConfigReader.read(file, set, options.llmcCompatible());
        return Execution.run(config, Outputs.of(config), config.save().path().isEmpty() ? Optional.empty() : Optional.of(Path.of(config.save().path())), options, spec.commandLine());
    }
}
