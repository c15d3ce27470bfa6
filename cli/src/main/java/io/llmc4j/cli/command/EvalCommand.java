package io.llmc4j.cli.command;

import io.llmc4j.cli.console.Progress;
import io.llmc4j.cli.console.Text;
import io.llmc4j.engine.json.Json;
import io.llmc4j.cli.run.DataLoader;
import io.llmc4j.cli.run.DeviceSession;
import io.llmc4j.cli.run.HeapKeeper;
import io.llmc4j.engine.evaluate.Evaluation;
import io.llmc4j.engine.evaluate.EvaluationResult;
import io.llmc4j.engine.evaluate.Perplexity;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.pipeline.RunListener;
import io.llmc4j.engine.pipeline.ModelSource;
import io.llmc4j.formats.export.gguf.GgufModel;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.formats.text.Tokenizer;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Visibility;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code llmc4j eval}: perplexity of a model directory. */
@Command(name = "eval", mixinStandardHelpOptions = true, showDefaultValues = true, sortOptions = false,
        description = "Tells the perplexity of a model directory, float or quantized, on a text. Weights are decoded to float32; inputs of layers are not rounded.",
        footer = {"", "Example:", "  llmc4j eval cli/samples/tiny-llama-en --data cli/samples/evaluation.txt --seq-len 256"})
final class EvalCommand implements Callable<Integer> {

    private static final int LONGEST_WINDOW = 2048;
    private static final String RULE = "windows of seq-len tokens without overlap, the rest dropped; exp of the mean negative log-likelihood of every token but the "
            + "first of a window; log-softmax in float32, summed in float64";

    @Spec
    private CommandSpec spec;

    @Parameters(index = "0", paramLabel = "MODEL", description = "a model directory, float or in a format that can be read; or a .gguf file")
    private Path model;

    @Option(names = "--data", paramLabel = "FILE", description = "text: .txt, .jsonl, .json or a data set folder; or token ids: .json or .safetensors (default: the "
            + "program's own text)", showDefaultValue = Visibility.NEVER)
    private Optional<Path> data = Optional.empty();

    @Option(names = "--seq-len", paramLabel = "L", description = "tokens of a window (default: the model's context, at most 2048)", showDefaultValue = Visibility.NEVER)
    private Optional<Integer> seqLen = Optional.empty();

    @Option(names = "--rows", paramLabel = "HOW", defaultValue = "wikitext2", description = "how rows become one text: wikitext2 (two newlines between), c4, ptb, "
            + "custom_ppl, as LLMC does for these data sets; plain (as they are, no special tokens)")
    private String rows;

    @Option(names = "--json", description = "print JSON (default: lines)", showDefaultValue = Visibility.NEVER)
    private boolean json;

    @Option(names = "--threads", paramLabel = "N", description = "threads; the result is the same for any number (default: all processors)",
            showDefaultValue = Visibility.NEVER)
    private Optional<Integer> threads = Optional.empty();

    @Mixin
    private DeviceOptions device;

    @Override
    public Integer call() {
        CommonThreads.set(threads);
        device.math();
        PrintWriter out = spec.commandLine().getOut();
        Progress progress = Progress.of(spec.commandLine().getErr());
        try (DeviceSession session = device.open(progress::say); HeapKeeper keeper = HeapKeeper.start(); ModelSource source = source()) {
            int length = seqLen.orElse(Math.min(LONGEST_WINDOW, source.spec().contextLength()));
            DataLoader loader = new DataLoader(() -> source instanceof GgufModel g ? g.tokenizer() : Tokenizer.open(model), source.spec().vocabularySize());
            Evaluation evaluation = loader.evaluation(data.map(Path::toString).orElse(io.llmc4j.cli.run.Texts.BUNDLED), rows, length);
            loader.said().forEach(progress::say);
            progress.total(source.spec().blocks());
            EvaluationResult r = Perplexity.of(source, evaluation, RunConfig.Memory.DEFAULT, new RunListener() {
                @Override
                public void blockStarted(int block, int blocks) {
                    progress.at(block, "block " + (block + 1) + " of " + blocks);
                }
            });
            progress.clear();
            print(r, roundsInputs(source), progress.seconds(), out);
        } finally {
            progress.clear();
        }
        return 0;
    }

    private ModelSource source() {
        Optional<Path> gguf = GgufModel.find(model);
        return gguf.isPresent() ? GgufModel.open(gguf.get()) : HfModel.open(model);
    }

    /** Whether a server rounds inputs of this model's layers. Here they stay float. */
    private static boolean roundsInputs(ModelSource source) {
        return source instanceof HfModel m && m.weightReader().isPresent() && m.shape().blocks().stream().anyMatch(b -> b.modules().stream()
                .map(l -> m.module(b.index(), l)).anyMatch(s -> m.isQuantized(s) && m.weightReader().get().activation(s).isPresent()));
    }

    private void print(EvaluationResult r, boolean roundsInputs, double seconds, PrintWriter out) {
        if (json) {
            Map<String, Object> m = new LinkedHashMap<>();
            m.put("model", model.toString());
            m.put("data", r.data());
            m.put("seqLen", r.seqLen());
            m.put("windows", r.windows());
            m.put("tokens", r.tokens());
            m.put("rule", RULE);
            m.put("perplexity", r.value());
            m.put("inputsThatServersRound", roundsInputs ? "left float" : "none");
            m.put("seconds", seconds);
            m.put("devices", DeviceSession.account());
            out.print(Json.indented(m));
        } else {
            out.println(String.format(Locale.ROOT, "perplexity  %.4f", r.value()));
            out.println("data        " + r.data());
            out.println(String.format(Locale.ROOT, "windows     %d of %d tokens, %s in all", r.windows(), r.seqLen(), Text.count(r.tokens())));
            out.println("rule        " + Text.wrap(RULE, 108, "            "));
            if (roundsInputs) {
                out.println("inputs      left float; servers round this model's");
            }
            out.println("took        " + Text.duration(seconds));
            DeviceSession.account().forEach(line -> out.println("device      " + line));
        }
        out.flush();
    }
}
