package io.llmc4j.cli.run;

import io.llmc4j.cli.console.Table;
import io.llmc4j.cli.console.Text;
import io.llmc4j.engine.json.Json;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.pipeline.LayerScheme;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What {@code --dry-run} prints: everything that will happen, and what it will take. */
public final class PlanPrinter {

    private PlanPrinter() {
    }

    /** "int4 symmetric per_group 128". */
    public static String scheme(QuantScheme s) {
        Granularity g = s.granularity();
        String format = switch (s.format()) {
            case io.llmc4j.engine.quant.NumberFormat.Int i -> "int" + i.bits();
            case io.llmc4j.engine.quant.NumberFormat.Float f -> f.label();
            case io.llmc4j.engine.quant.NumberFormat.Int4OverInt8 o -> "int4 over int8";
        };
        return format + (s.symmetric() ? " symmetric " : " asymmetric ") + g.kind().name().toLowerCase(java.util.Locale.ROOT) + (g.size() > 0 ? " " + g.size() : "")
                + (s.isStatic() ? " static" : "");
    }

    /** With the widths that are to be chosen from. */
    private static String scheme(Job job, QuantScheme s) {
        return job.target().map(t -> scheme(s).replaceFirst("int[0-9]+", "int of " + t)).orElse(scheme(s));
    }

    private static String scheme(Job job, LayerScheme s) {
        if (!s.quantized()) {
            return "float";
        }
        return job.target().map(t -> scheme(s.weight().orElseThrow()).replaceFirst("int[0-9]+", "int by sensitivity")).orElse(scheme(s.weight().orElseThrow()))
                 + s.activation().map(a -> ", inputs " + scheme(a)).orElse("");
    }

    /** Layers that differ in nothing but their block are one line: "self_attn.q_proj [256, 256] × 6". */
    private record Kind(String name, int out, int in, String scheme, String bits) { }

    private static Map<Kind, Integer> kinds(Job job) {
        Map<Kind, Integer> kinds = new LinkedHashMap<>();
        for (PlannedRunLayer l : job.layers()) {
            String name = l.name().replaceAll("experts\\.\\d+", "experts.*");
            kinds.merge(new Kind(name, l.out(), l.in(), scheme(job, l.scheme()), job.target().isPresent() && l.scheme().quantized() ? "chosen"
                    : String.format(java.util.Locale.ROOT, "%.3f", l.bits())), 1, Integer::sum);
        }
        return kinds;
    }

    /**
     * Throws BadInput (OUTPUT) when a disk has too little space for all that goes there: outputs, journal, states that do not fit the memory.
     *
     * @param present bytes of them that lie there already
     */
    static void checkSpace(Job job, Estimate e, long present) {
        Map<java.nio.file.FileStore, Long> needs = new LinkedHashMap<>();
        for (Outputs.Target t : job.targets()) {
            needs.merge(OutputRules.store(t.directory()), e.outputBytes(), Long::sum);
        }
        if (!job.targets().isEmpty()) {
            needs.merge(OutputRules.store(job.targets().getFirst().directory()), e.scratchBytes(), Long::sum);
        }
        needs.forEach((store, bytes) -> {
            long free = OutputRules.usableBytes(store) + present;
            if (free < bytes) {
                throw BadInput.of(BadInput.Common.OUTPUT, "the disk of %s has %s for it, and the run needs about %s (%s for each of %d outputs, %s for its journal and its states); "
                        + "free some, or choose another output directory", job.targets().getFirst().directory(), Text.bytes(free), Text.bytes(bytes), Text.bytes(e.outputBytes()),
                        job.targets().size(), Text.bytes(e.scratchBytes()));
            }
        });
    }

    public static void print(Job job, boolean json, PrintWriter out) {
        Estimate e = Estimate.of(job);
        if (job.model().isPresent()) {
            checkSpace(job, e, 0);
        }
        if (json) {
            out.print(Json.indented(map(job, e)));
            out.flush();
            return;
        }
        out.println("model        " + job.config().model().path() + ": " + job.shape().spec().family() + ", " + job.shape().spec().blocks() + " blocks, hidden "
                + job.shape().spec().hiddenSize() + ", " + Text.count(e.parameters()) + " parameters");
        out.println("method       " + job.methodNames() + (job.config().compat() ? ", LLMC's numbers" : ""));
        Optional<QuantScheme> w = job.run().schemes().weight();
        out.println("weights      " + w.map(s -> scheme(job, s)).orElse("float"));
        out.println("activations  " + job.run().schemes().activation().map(PlanPrinter::scheme).orElse("float"));
        job.run().kvCache().ifPresent(k -> out.println("kv cache     " + k.method() + " " + scheme(k.scheme())));
        for (String line : job.data()) {
            out.println(line.replaceFirst("^calibration: ", "calibration  ").replaceFirst("^evaluation: ", "evaluation   "));
        }
        for (Outputs.Target t : job.targets()) {
            out.println("output       " + t.format().name() + " in " + t.directory());
        }
        out.println();
        Table table = new Table("layer", ">out", ">in", ">times", ">bits", "scheme");
        kinds(job).forEach((k, n) -> table.row(k.name(), k.out(), k.in(), n, k.bits(), k.scheme()));
        table.print(out);
        out.println();
        out.println(String.format(java.util.Locale.ROOT, "bits of a quantized weight  %.3f", e.bits()));
        out.println("output size                 " + Text.bytes(e.outputBytes()) + (job.targets().size() > 1 ? " for each output" : ""));
        out.println("journal and states on disk  up to " + Text.bytes(e.scratchBytes()));
        out.println("memory                      about " + Text.bytes(e.memoryBytes()));
        out.println("time on this machine        about " + Text.duration(e.seconds()));
        for (Outputs.Target t : job.targets()) {
            out.println("free disk for " + String.format("%-14s", t.format().name()) + Text.bytes(OutputRules.usableBytes(OutputRules.store(t.directory())))
                    + (OutputRules.usableBytes(OutputRules.store(t.directory())) < e.outputBytes() + e.scratchBytes() ? ", too little" : ""));
        }
        out.flush();
    }

    private static Map<String, Object> map(Job job, Estimate e) {
        Map<String, Object> m = new LinkedHashMap<>();
        m.put("model", job.config().model().path());
        m.put("family", job.shape().spec().family());
        m.put("blocks", job.shape().spec().blocks());
        m.put("parameters", e.parameters());
        m.put("method", job.methodNames());
        m.put("config", job.config().document());
        m.put("data", job.data());
        m.put("outputs", job.targets().stream().map(t -> Map.of("format", t.format().name(), "directory", t.directory().toString())).toList());
        List<Object> layers = new ArrayList<>();
        for (PlannedRunLayer l : job.layers()) {
            Map<String, Object> x = new LinkedHashMap<>();
            x.put("name", l.fullName());
            x.put("shape", List.of(l.out(), l.in()));
            x.put("bits", job.bits(l));
            x.put("scheme", scheme(job, l.scheme()));
            layers.add(x);
        }
        m.put("layers", layers);
        m.put("bitsPerWeight", e.bits());
        job.target().ifPresent(t -> m.put("targetBits", Map.of("target", t.average(), "widths", t.widths())));
        m.put("outputBytes", e.outputBytes());
        m.put("scratchBytes", e.scratchBytes());
        m.put("memoryBytes", e.memoryBytes());
        m.put("seconds", e.seconds());
        m.put("notices", job.notices());
        return m;
    }
}
