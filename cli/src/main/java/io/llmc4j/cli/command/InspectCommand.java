package io.llmc4j.cli.command;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.llmc4j.cli.console.Table;
import io.llmc4j.cli.console.Text;
import io.llmc4j.engine.json.Json;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.safetensors.Checkpoint;
import io.llmc4j.engine.safetensors.TensorEntry;
import io.llmc4j.formats.export.gguf.GgufMetadata;
import io.llmc4j.formats.export.gguf.GgufModelFiles;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code llmc4j inspect}: what is in a file or directory. */
@Command(name = "inspect", mixinStandardHelpOptions = true, showDefaultValues = true,
        description = "Lists the tensors of a safetensors file, a GGUF file or a model directory: names, types, shapes, sizes; and how the model is quantized.")
final class InspectCommand implements Callable<Integer> {

    @Spec
    private CommandSpec spec;

    @Parameters(index = "0", paramLabel = "PATH", description = "a model directory, a .safetensors or .gguf file, or a .safetensors.index.json")
    private Path path;

    @Option(names = "--json", description = "print JSON (default: a table)", showDefaultValue = picocli.CommandLine.Help.Visibility.NEVER)
    private boolean json;

    @Option(names = "--filter", paramLabel = "TEXT", description = "list only tensors whose name contains this (default: all)",
            showDefaultValue = picocli.CommandLine.Help.Visibility.NEVER)
    private Optional<String> filter = Optional.empty();

    private record Row(String name, String type, String shape, long elements, long bytes) { }

    private record Contents(String format, List<Row> rows, List<String> files, Map<String, Object> facts, List<String> notes) { }

    @Override
    public Integer call() {
        if (!Files.exists(path)) {
            throw BadInput.of(BadInput.Common.MODEL, "%s: there is no such file or directory", path);
        }
        Contents c = path.getFileName() != null && path.getFileName().toString().endsWith(".gguf") ? gguf() : safetensors();
        print(c);
        return 0;
    }

    private Contents safetensors() {
        try (Checkpoint checkpoint = Checkpoint.open(path)) {
            List<Row> rows = new ArrayList<>();
            for (String name : checkpoint.names()) {
                TensorEntry e = checkpoint.entry(name);
                rows.add(new Row(name, e.dtype().name(), e.shape().toString(), e.shape().elements(), e.bytes()));
            }
            Path directory = Files.isDirectory(path) ? path : path.toAbsolutePath().getParent();
            Map<String, Object> facts = new LinkedHashMap<>();
            config(directory.resolve("config.json"), facts);
            return new Contents("safetensors", rows, checkpoint.files().stream().map(f -> f.name()).toList(), facts, checkpoint.notes());
        }
    }

    private Contents gguf() {
        try (GgufModelFiles files = GgufModelFiles.open(path)) {
            List<Row> rows = new ArrayList<>();
            files.tensors().forEach((name, t) -> rows.add(new Row(name, t.info().type().name(), t.info().shape().toString(), t.info().shape().elements(),
                    t.info().bytes())));
            Map<String, Object> facts = new LinkedHashMap<>();
            GgufMetadata m = files.metadata();
            m.text("general.architecture").ifPresent(a -> facts.put("architecture", a));
            m.text("general.name").ifPresent(a -> facts.put("name", a));
            facts.put("metadata keys", m.values().size());
            return new Contents("GGUF", rows, files.paths().stream().map(Path::toString).toList(), facts, List.of());
        }
    }

    /** The facts of a config.json that say what the model is and how it is quantized. */
    private static void config(Path file, Map<String, Object> facts) {
        if (!Files.isRegularFile(file)) {
            return;
        }
        JsonNode root;
        try {
            root = new ObjectMapper().readTree(Files.readAllBytes(file));
        } catch (IOException e) {
            throw BadInput.of(BadInput.Common.MODEL, "%s is not JSON: %s", file, e.getMessage().lines().findFirst().orElse(""));
        }
        for (String key : List.of("architectures", "model_type", "num_hidden_layers", "hidden_size", "vocab_size", "torch_dtype", "dtype")) {
            if (root.has(key)) {
                JsonNode v = root.get(key);
                facts.put(key, v.isArray() && v.size() == 1 ? v.get(0).asText() : v.isValueNode() ? v.asText() : v.toString());
            }
        }
        JsonNode q = root.has("quantization_config") ? root.get("quantization_config") : root.get("compression_config");
        facts.put("quantization", q == null ? "none" : scheme(q));
    }

    /** One line of a quantization_config: the method and its numbers, lists shortened. */
    private static String scheme(JsonNode q) {
        StringBuilder s = new StringBuilder(q.path("quant_method").asText("unnamed"));
        if (q.has("format")) {
            s.append(", ").append(q.get("format").asText());
        }
        q.path("config_groups").fields().forEachRemaining(g -> {
            for (String part : List.of("weights", "input_activations", "output_activations")) {
                JsonNode p = g.getValue().path(part);
                if (p.isObject()) {
                    s.append("; ").append(g.getKey()).append(' ').append(part).append(": ").append(p.path("num_bits").asText()).append(" bit ")
                            .append(p.path("type").asText()).append(' ').append(p.path("symmetric").asBoolean() ? "symmetric" : "asymmetric").append(' ')
                            .append(p.path("strategy").asText());
                    if (p.path("group_size").asInt(-1) > 0) {
                        s.append(' ').append(p.get("group_size").asInt());
                    }
                    if (p.has("dynamic") && !part.equals("weights")) {
                        s.append(p.path("dynamic").asBoolean() ? " dynamic" : " static");
                    }
                }
            }
        });
        if (q.path("kv_cache_scheme").isObject()) {
            s.append("; keys and values: ").append(q.path("kv_cache_scheme").path("num_bits").asText()).append(" bit ").append(q.path("kv_cache_scheme").path("type").asText());
        }
        for (String key : List.of("bits", "w_bit", "group_size", "q_group_size", "zero_point", "sym", "desc_act", "version", "weight_block_size", "activation_scheme")) {
            if (q.has(key)) {
                s.append(", ").append(key).append(' ').append(q.get(key).isValueNode() ? q.get(key).asText() : q.get(key).toString());
            }
        }
        if (q.path("ignore").size() > 0) {
            s.append(", ignored: ").append(q.get("ignore").size() > 3 ? q.get("ignore").size() + " layers" : q.get("ignore").toString());
        }
        return s.toString();
    }

    private void print(Contents c) {
        PrintWriter out = spec.commandLine().getOut();
        List<Row> rows = c.rows().stream().filter(r -> filter.isEmpty() || r.name().contains(filter.get())).toList();
        long elements = c.rows().stream().mapToLong(Row::elements).sum();
        long bytes = c.rows().stream().mapToLong(Row::bytes).sum();
        if (json) {
            Map<String, Object> m = new LinkedHashMap<>();
            m.put("path", path.toString());
            m.put("format", c.format());
            m.putAll(c.facts());
            m.put("files", c.files());
            m.put("elements", elements);
            m.put("bytes", bytes);
            m.put("tensors", rows.stream().map(r -> {
                Map<String, Object> t = new LinkedHashMap<>();
                t.put("name", r.name());
                t.put("dtype", r.type());
                t.put("shape", r.shape());
                t.put("bytes", r.bytes());
                return t;
            }).toList());
            m.put("notes", c.notes());
            out.print(Json.indented(m));
            out.flush();
            return;
        }
        Table table = new Table("tensor", "type", "shape", ">bytes");
        rows.forEach(r -> table.row(r.name(), r.type(), r.shape(), r.bytes()));
        table.print(out);
        out.println();
        Map<String, long[]> types = new TreeMap<>();
        c.rows().forEach(r -> {
            long[] t = types.computeIfAbsent(r.type(), k -> new long[3]);
            t[0]++;
            t[1] += r.elements();
            t[2] += r.bytes();
        });
        Table summary = new Table("type", ">tensors", ">elements", ">size");
        types.forEach((type, t) -> summary.row(type, t[0], Text.count(t[1]), Text.bytes(t[2])));
        summary.row("all", c.rows().size(), Text.count(elements), Text.bytes(bytes));
        summary.print(out);
        out.println();
        out.println(c.format() + ", " + (c.files().size() == 1 ? "1 file" : c.files().size() + " files"));
        c.facts().forEach((k, v) -> out.println(k + ": " + v));
        c.notes().forEach(n -> out.println("note: " + n));
        out.flush();
    }
}
