package io.llmc4j.cli.command;

import io.llmc4j.cli.console.Progress;
import io.llmc4j.cli.run.DataLoader;
import io.llmc4j.cli.run.HeapKeeper;
import io.llmc4j.cli.run.Texts;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.calibrate.CalibrationSet;
import io.llmc4j.engine.evaluate.Evaluation;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.formats.export.gguf.imatrix.Importance;
import io.llmc4j.formats.export.gguf.imatrix.ImportanceFiles;
import io.llmc4j.formats.export.gguf.imatrix.ImportanceMatrix;
import io.llmc4j.formats.export.gguf.imatrix.LegacyImportance;
import io.llmc4j.formats.hf.HfModel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Visibility;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code llmc4j imatrix}: llama.cpp's importance matrix of a model. */
@Command(name = "imatrix", mixinStandardHelpOptions = true, showDefaultValues = true, sortOptions = false,
        description = "Computes the importance matrix of a model on a text: the sum of squares of every input column, as llama.cpp's tool does. "
                + "quantize --export gguf:TYPE:FILE and llama.cpp's quantizer read the file.",
        footer = {"", "Example:", "  llmc4j imatrix cli/samples/tiny-llama-en --out tiny.imatrix.gguf"})
final class ImatrixCommand implements Callable<Integer> {

    private static final int LONGEST_WINDOW = 512;

    enum Kind { gguf, dat }

    @Spec
    private CommandSpec spec;

    @Parameters(index = "0", paramLabel = "MODEL", description = "a model directory")
    private Path model;

    @Option(names = "--data", paramLabel = "FILE", description = "text or token ids, as for eval (default: the program's own calibration text)",
            showDefaultValue = Visibility.NEVER)
    private Optional<Path> data = Optional.empty();

    @Option(names = "--out", paramLabel = "FILE", required = true, description = "the file to write")
    private Path out;

    @Option(names = "--format", paramLabel = "KIND", defaultValue = "gguf", description = "${COMPLETION-CANDIDATES}: llama.cpp's format since 2025, or the older one")
    private Kind format;

    @Option(names = "--seq-len", paramLabel = "L", description = "tokens of a window (default: the model's context, at most 512)", showDefaultValue = Visibility.NEVER)
    private Optional<Integer> seqLen = Optional.empty();

    @Option(names = "--samples", paramLabel = "N", defaultValue = "64", description = "windows at most")
    private int samples;

    @Option(names = "--overwrite", description = "replace the file", showDefaultValue = Visibility.NEVER)
    private boolean overwrite;

    @Option(names = "--threads", paramLabel = "N", description = "threads; the result is the same for any number (default: all processors)",
            showDefaultValue = Visibility.NEVER)
    private Optional<Integer> threads = Optional.empty();

    @Override
    public Integer call() {
        CommonThreads.set(threads);
        if (Files.exists(out) && !overwrite) {
            throw BadInput.of(BadInput.Common.OUTPUT, "%s is there already; use another name or --overwrite", out);
        }
        if (samples < 1) {
            throw BadInput.of(BadInput.Common.USAGE, "--samples is %d; at least 1 is needed", samples);
        }
        Progress progress = Progress.of(spec.commandLine().getErr());
        try (HeapKeeper keeper = HeapKeeper.start(); HfModel source = HfModel.open(model)) {
            int length = seqLen.orElse(Math.min(LONGEST_WINDOW, source.spec().contextLength()));
            DataLoader loader = new DataLoader(model, source.spec().vocabularySize());
            Evaluation text = loader.calibrationText(data.map(Path::toString).orElse(Texts.BUNDLED), length);
            int[][] windows = Arrays.copyOf(text.windows(), Math.min(samples, text.windows().length));
            loader.said().forEach(progress::say);
            progress.total(source.spec().blocks());
            Path directory = out.toAbsolutePath().getParent();
            ImportanceMatrix m = Importance.compute(source, new CalibrationSet(text.name(), windows, 1, length), RunConfig.Memory.DEFAULT.stateBytes(), directory,
                    done -> progress.at(done, "block " + done + " of " + source.spec().blocks()));
            if (format == Kind.gguf) {
                ImportanceFiles.writeGguf(m, out);
            } else {
                LegacyImportance.write(m, out);
            }
            progress.clear();
            spec.commandLine().getOut().println("importance of " + m.entries().size() + " tensors over " + windows.length + " windows of " + length + " tokens written to " + out);
            spec.commandLine().getOut().flush();
        } finally {
            progress.clear();
        }
        return 0;
    }
}
