package io.llmc4j.cli.command;

import io.llmc4j.cli.config.ConfigReader;
import io.llmc4j.cli.config.LlmcConfig;
import io.llmc4j.cli.run.Outputs;
import io.llmc4j.cli.run.QuantizeRequest;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.pipeline.ExpertRules;
import io.llmc4j.formats.export.ExportFormat;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Visibility;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code llmc4j quantize}: one model, one method, one format, without a file. */
@Command(name = "quantize", mixinStandardHelpOptions = true, showDefaultValues = true, sortOptions = false,
        description = "Compresses a model directory and writes it in the format of a server, checks what was written, and tells perplexity before and after.",
        footer = {"", "Example:", "  llmc4j quantize cli/samples/tiny-llama-en --method awq --bits 4 --group-size 128 --export vllm --out out"})
final class QuantizeCommand implements Callable<Integer> {

    @Spec
    private CommandSpec spec;

    @Parameters(index = "0", paramLabel = "MODEL", description = "a Hugging Face model directory: config.json, safetensors, tokenizer.json")
    private Path model;

    @Option(names = {"-m", "--method"}, paramLabel = "M", split = ",", defaultValue = "awq", description = "how to compress; llmc4j methods lists them; several, "
            + "joined by commas, run in a row")
    private List<String> methods = new ArrayList<>();

    @Option(names = {"-b", "--bits"}, paramLabel = "B", defaultValue = "4", description = "bits of a weight, 1 to 16; or a float format: e4m3, e5m2, e2m1, "
            + "...; or one with scales of its own: nvfp4, mxfp4, mxfp6_e2m3, mxfp6_e3m2, mxfp8")
    private String bits;

    @Option(names = "--target-bits", paramLabel = "X", description = "choose a width for each layer, so that a weight takes X bits on average, scales and zero points included, "
            + "and the outputs of blocks change least (default: all layers have --bits)", showDefaultValue = Visibility.NEVER)
    private Optional<Double> targetBits = Optional.empty();

    @Option(names = "--target-widths", paramLabel = "W", split = ",", description = "with --target-bits: widths to choose from (default: those of 2,3,4,5,6,8 that the export can carry)",
            showDefaultValue = Visibility.NEVER)
    private List<Integer> targetWidths = new ArrayList<>();

    @Option(names = {"-g", "--group-size"}, paramLabel = "G", description = "weights that share a scale (default: 128; a whole channel with --act-bits or e4m3 and the like)",
            showDefaultValue = Visibility.NEVER)
    private Optional<Integer> group = Optional.empty();

    @Option(names = "--per-channel", description = "one scale an output channel (default: groups, see --group-size)", showDefaultValue = Visibility.NEVER)
    private boolean perChannel;

    @Option(names = "--symmetric", description = "no zero points (default: what the export takes: asymmetric for autoawq and mlcllm, else symmetric)",
            showDefaultValue = Visibility.NEVER)
    private boolean symmetric;

    @Option(names = "--asymmetric", description = "with zero points", showDefaultValue = Visibility.NEVER)
    private boolean asymmetric;

    @Option(names = {"-a", "--act-bits"}, paramLabel = "A", description = "quantize activations too, a token at a time as they come; bits, or a float format as for --bits "
            + "(default: activations stay float)", showDefaultValue = Visibility.NEVER)
    private Optional<String> actBits = Optional.empty();

    @Option(names = "--calib", paramLabel = "FILE", description = "calibration text: .txt, .jsonl, .json or a data set folder (default: the program's own text)",
            showDefaultValue = Visibility.NEVER)
    private Optional<Path> calibration = Optional.empty();

    @Option(names = "--samples", paramLabel = "N", description = "windows of calibration text, drawn at random places (default: 128; 8 for awq, 16 for osplus, "
            + "which pass over them dozens of times)", showDefaultValue = Visibility.NEVER)
    private Optional<Integer> samples = Optional.empty();

    @Option(names = "--seq-len", paramLabel = "L", description = "tokens of a window, of calibration and of evaluation (default: the model's context, at most 2048)",
            showDefaultValue = Visibility.NEVER)
    private Optional<Integer> seqLen = Optional.empty();

    @Option(names = {"-e", "--export"}, paramLabel = "F", defaultValue = "vllm", description = "format to write: ${COMPLETION-CANDIDATES}",
            completionCandidates = ExportNames.class)
    private String export;

    @Option(names = {"-o", "--out"}, paramLabel = "DIR", required = true, description = "output directory; has to be new or empty")
    private Path out;

    @Option(names = "--eval", paramLabel = "FILE", description = "text for perplexity before and after (default: the program's own text)",
            showDefaultValue = Visibility.NEVER)
    private Optional<Path> evaluation = Optional.empty();

    @Option(names = "--no-eval", description = "tell no perplexity (default: false)", showDefaultValue = Visibility.NEVER)
    private boolean noEvaluation;

    @Option(names = "--seed", paramLabel = "N", defaultValue = "42", description = "of every random draw")
    private int seed;

    @Option(names = "--set", paramLabel = "KEY=VALUE", description = "a setting of the method (llmc4j methods NAME lists them); may be repeated (default: as LLMC "
            + "ships the method)", showDefaultValue = Visibility.NEVER)
    private List<String> settings = new ArrayList<>();

    @Option(names = "--uncalibrated-experts", paramLabel = "RULE", defaultValue = "rtn", description = "an expert that no calibration token reached is rounded without "
            + "data (rtn), calibrated on the tokens of the expert whose router row is nearest (nearest), or ends the run (error)")
    private ExpertRule uncalibrated = ExpertRule.rtn;

    @Option(names = "--calibrate-all-experts", description = "every expert is calibrated on every token; where tokens go afterwards does not change "
            + "(default: on the tokens that the router sends it)", showDefaultValue = Visibility.NEVER)
    private boolean calibrateAll;

    @Option(names = "--quantize-routers", description = "quantize routers like other layers (default: they stay float)", showDefaultValue = Visibility.NEVER)
    private boolean quantizeRouters;

    @Mixin
    private RunOptions options;

    @Override
    public Integer call() {
        if (symmetric && asymmetric) {
            throw BadInput.of(BadInput.Common.USAGE, "--symmetric and --asymmetric contradict each other");
        }
        if (targetBits.isPresent() && spec.commandLine().getParseResult().hasMatchedOption("--bits")) {
            throw BadInput.of(BadInput.Common.USAGE, "--bits and --target-bits contradict each other: one width for all layers, or one chosen for each");
        }
        if (group.isPresent() && perChannel) {
            throw BadInput.of(BadInput.Common.USAGE, "--group-size and --per-channel contradict each other");
        }
        if (noEvaluation && evaluation.isPresent()) {
            throw BadInput.of(BadInput.Common.USAGE, "--eval and --no-eval contradict each other");
        }
        ExportFormat format = Outputs.named(export);
        QuantizeRequest request = new QuantizeRequest(model, methods, bits, group, perChannel,
                symmetric || asymmetric ? Optional.of(symmetric) : Optional.empty(), actBits, calibration, samples, seqLen, format, out, evaluation,
                !noEvaluation, seed, settings,
                new ExpertRules(ExpertRules.Uncalibrated.valueOf(uncalibrated.name().toUpperCase(Locale.ROOT)), calibrateAll, quantizeRouters),
                targetBits, targetWidths);
        LlmcConfig config = ConfigReader.read(request.document(), options.llmcCompatible());
        return Execution.run(config, List.of(new Outputs.Target(format, out)), Optional.of(out), options, spec.commandLine());
    }

    /** As they are written on the command line. */
    enum ExpertRule { error, nearest, rtn }

    /** The formats that can be written. */
    static final class ExportNames implements Iterable<String> {
        @Override
        public java.util.Iterator<String> iterator() {
            return Outputs.names().iterator();
        }
    }
}
