package io.llmc4j.cli.command;

import io.llmc4j.cli.console.Table;
import io.llmc4j.cli.console.Text;
import io.llmc4j.cli.run.HeapKeeper;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.json.Json;
import io.llmc4j.formats.convert.Conversion;
import io.llmc4j.formats.convert.Converter;
import io.llmc4j.formats.export.Exports;
import io.llmc4j.formats.export.gguf.GgufModel;
import io.llmc4j.formats.hf.HfModel;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Visibility;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code llmc4j convert}: a quantized directory in another format. */
@Command(name = "convert", mixinStandardHelpOptions = true, showDefaultValues = true, sortOptions = false,
        description = "Writes a quantized model directory in another format. Where that would change a weight it is refused, naming the modules and what "
                + "would be lost; --requantize allows it and tells the error.",
        footer = {"", "Example:", "  llmc4j convert my-awq-model --to gptq_v2 --out my-gptq-model"})
final class ConvertCommand implements Callable<Integer> {

    @Spec
    private CommandSpec spec;

    @Parameters(index = "0", paramLabel = "IN", description = "a model directory in a format that can be read")
    private Path in;

    @Option(names = "--to", paramLabel = "FORMAT", required = true, description = "the format to write, as --export of quantize names them")
    private String to;

    @Option(names = "--out", paramLabel = "OUT", required = true, description = "the directory to write; it must not exist or be empty")
    private Path out;

    @Option(names = "--requantize", description = "round again where the format cannot hold the stored codes", showDefaultValue = Visibility.NEVER)
    private boolean requantize;

    @Option(names = "--overwrite", description = "replace what is in OUT", showDefaultValue = Visibility.NEVER)
    private boolean overwrite;

    @Option(names = "--json", description = "print JSON (default: a table)", showDefaultValue = Visibility.NEVER)
    private boolean json;

    @Option(names = "--threads", paramLabel = "N", description = "threads; the result is the same for any number (default: all processors)",
            showDefaultValue = Visibility.NEVER)
    private Optional<Integer> threads = Optional.empty();

    @Override
    public Integer call() {
        CommonThreads.set(threads);
        if (GgufModel.find(in).isPresent()) {
            throw BadInput.of(BadInput.Common.USAGE, "%s is GGUF, which eval, audit and inspect read; it holds no config.json, so it is not converted back: convert the directory that it "
                    + "was made from", in);
        }
        try (HeapKeeper keeper = HeapKeeper.start(); HfModel model = HfModel.open(in)) {
            Conversion c = new Converter(model, Exports.named(to)).convert(out, requantize, overwrite);
            print(c);
            return c.differences().isEmpty() ? 0 : 3;
        }
    }

    private void print(Conversion c) {
        PrintWriter w = spec.commandLine().getOut();
        if (json) {
            Map<String, Object> m = new LinkedHashMap<>();
            m.put("in", in.toString());
            m.put("format", to);
            m.put("out", c.written().directory().toString());
            m.put("changed", c.changes().stream().map(x -> Map.of("module", x.module(), "what", x.what(), "relativeError", x.relative())).toList());
            m.put("files", c.written().files().stream().map(f -> Map.of("name", f.name(), "bytes", f.bytes(), "sha256", f.sha256())).toList());
            m.put("notCarried", c.written().dropped());
            m.put("differences", c.differences());
            w.print(Json.indented(m));
            w.flush();
            return;
        }
        if (!c.changes().isEmpty()) {
            Table t = new Table("module", "what changed", ">largest", ">relative");
            c.changes().forEach(x -> t.row(x.module(), x.what(), String.format(Locale.ROOT, "%.3e", x.largest()), String.format(Locale.ROOT, "%.5f", x.relative())));
            t.print(w);
            w.println();
        }
        w.println("written to " + c.written().directory());
        c.written().files().forEach(f -> w.println("  " + f.name() + "  " + Text.bytes(f.bytes()) + "  sha256 " + f.sha256()));
        c.written().dropped().forEach(d -> w.println("not carried: " + d));
        if (c.differences().isEmpty()) {
            w.println("read back: all weights are as " + (c.changes().isEmpty() ? "they were" : "they were rounded"));
        } else {
            w.println("read back: " + c.differences().size() + " differences");
            c.differences().forEach(d -> w.println("  " + d));
        }
        w.flush();
    }
}
