package io.llmc4j.cli.command;

import io.llmc4j.cli.config.ConfigReader;
import io.llmc4j.cli.config.LlmcConfig;
import io.llmc4j.cli.console.Progress;
import io.llmc4j.cli.report.AuditJson;
import io.llmc4j.cli.report.AuditPage;
import io.llmc4j.cli.report.AuditTable;
import io.llmc4j.cli.run.DataLoader;
import io.llmc4j.cli.run.HeapKeeper;
import io.llmc4j.cli.run.Job;
import io.llmc4j.cli.run.Resolver;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.evaluate.Evaluation;
import io.llmc4j.engine.pipeline.BlockFold;
import io.llmc4j.engine.pipeline.RunListener;
import io.llmc4j.formats.audit.Audit;
import io.llmc4j.formats.audit.AuditReport;
import io.llmc4j.formats.audit.CodeDifference;
import io.llmc4j.formats.audit.Reproduction;
import io.llmc4j.formats.hf.HfModel;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Visibility;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code llmc4j audit}: a quantized model against its original. */
@Command(name = "audit", mixinStandardHelpOptions = true, showDefaultValues = true, sortOptions = false,
        description = "Checks a quantized model, whoever wrote it, against its original: the rules of its format, the error of every layer beside plain rounding on the same grid, the "
                + "likely cause where a layer is off, and, with a text, what both models say. Transformations that methods make on purpose are recognized and undone. Ends with code 0 when "
                + "the model is sound and 3 when it is not.",
        footer = {"", "Example:", "  llmc4j audit out --original cli/samples/tiny-llama-en --data cli/samples/evaluation.txt --html audit.html"})
final class AuditCommand implements Callable<Integer> {

    private static final int LONGEST_WINDOW = 2048;
    private static final int UNSOUND = 3;

    @Spec
    private CommandSpec spec;

    @Parameters(index = "0", paramLabel = "QUANTIZED", description = "a model directory in any format that is read here, or a GGUF file")
    private Path quantized;

    @Option(names = "--original", paramLabel = "MODEL", required = true, description = "the model directory that it was made from")
    private Path original;

    @Option(names = "--data", paramLabel = "FILE", description = "a text that both models read: .txt, .jsonl, .json or a data set folder; or token ids (default: none is read)",
            showDefaultValue = Visibility.NEVER)
    private Optional<Path> data = Optional.empty();

    @Option(names = "--seq-len", paramLabel = "L", description = "tokens of a window of the text (default: the model's context, at most 2048)", showDefaultValue = Visibility.NEVER)
    private Optional<Integer> seqLen = Optional.empty();

    @Option(names = "--rows", paramLabel = "HOW", defaultValue = "wikitext2", description = "how rows become one text: wikitext2, c4, ptb, custom_ppl, plain")
    private String rows;

    @Option(names = "--reproduce", paramLabel = "CONFIG", description = "run this configuration on the original and compare its codes with the model's (default: nothing is run)",
            showDefaultValue = Visibility.NEVER)
    private Optional<Path> reproduce = Optional.empty();

    @Option(names = "--set", paramLabel = "KEY=VALUE", description = "replaces or adds one value of that configuration; may be repeated (default: none)",
            showDefaultValue = Visibility.NEVER)
    private List<String> overrides = new java.util.ArrayList<>();

    @Option(names = "--html", paramLabel = "FILE", description = "write a page with charts, in one file that needs no network (default: none is written)",
            showDefaultValue = Visibility.NEVER)
    private Optional<Path> html = Optional.empty();

    @Option(names = "--json", description = "print JSON (default: a table)", showDefaultValue = Visibility.NEVER)
    private boolean json;

    @Option(names = "--compat", paramLabel = "WHOM", description = "llmc: with --reproduce, LLMC's number where LLMC is oddly or plainly wrong (default: none)",
            showDefaultValue = Visibility.NEVER)
    private Optional<String> compat = Optional.empty();

    @Option(names = "--threads", paramLabel = "N", description = "threads; the result is the same for any number (default: all processors)", showDefaultValue = Visibility.NEVER)
    private Optional<Integer> threads = Optional.empty();

    @Override
    public Integer call() {
        CommonThreads.set(threads);
        if (compat.isPresent() && !compat.get().equals("llmc")) {
            throw BadInput.of(BadInput.Common.USAGE, "--compat %s: only llmc is known", compat.get());
        }
        PrintWriter out = spec.commandLine().getOut();
        Progress progress = Progress.of(spec.commandLine().getErr());
        try (HeapKeeper keeper = HeapKeeper.start(); HfModel source = HfModel.open(original)) {
            Optional<Evaluation> text = data.map(d -> {
                int length = seqLen.orElse(Math.min(LONGEST_WINDOW, source.spec().contextLength()));
                DataLoader loader = new DataLoader(original, source.spec().vocabularySize());
                return loader.evaluation(d.toString(), rows, length);
            });
            AuditReport report = Audit.run(quantized, source, text, (what, done, of) -> {
                progress.total(of);
                progress.at(done, what);
            });
            if (reproduce.isPresent()) {
                CodeDifference d = reproduced(progress);
                report = report.withReproduction(d, Reproduction.findings(d));
            }
            progress.clear();
            AuditReport done = report;
            html.ifPresent(f -> write(f, AuditPage.html(done)));
            if (json) {
                out.print(AuditJson.text(report));
                out.flush();
            } else {
                AuditTable.print(report, out);
            }
            return report.sound() ? 0 : UNSOUND;
        } finally {
            progress.clear();
        }
    }

    private CodeDifference reproduced(Progress progress) {
        List<String> set = new java.util.ArrayList<>(overrides);
        set.add("model.path=" + original);
        LlmcConfig config = ConfigReader.read(reproduce.orElseThrow(), set, compat.isPresent());
        try (HeapKeeper keeper = HeapKeeper.start(); Job job = Resolver.resolve(config, List.of(), Optional.empty(), false, false); Reproduction sink = Reproduction.against(quantized)) {
            job.notices().forEach(progress::say);
            RunListener listener = new RunListener() {
                @Override
                public void blockStarted(int block, int blocks) {
                    progress.total(blocks);
                    progress.at(block, "running the configuration, block " + (block + 1) + " of " + blocks);
                }
            };
            new BlockFold(job.model().orElseThrow(), job.run().withEvaluations(List.of()), List.of(sink), listener).run();
            return sink.difference(reproduce.get().toString());
        }
    }

    private static void write(Path file, String page) {
        Path target = file.toAbsolutePath();
        try {
            Files.createDirectories(target.getParent());
            Path partial = target.resolveSibling("." + target.getFileName() + ".partial");
            Files.writeString(partial, page);
            Files.move(partial, target, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw new BadInput(BadInput.Common.OUTPUT, file + " cannot be written: " + e.getMessage(), e);
        }
    }
}
