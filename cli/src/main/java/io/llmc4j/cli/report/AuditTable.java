package io.llmc4j.cli.report;

import io.llmc4j.cli.console.Table;
import io.llmc4j.cli.console.Text;
import io.llmc4j.formats.audit.AuditReport;
import io.llmc4j.formats.audit.CodeDifference;
import io.llmc4j.formats.audit.DataAudit;
import io.llmc4j.formats.audit.Finding;
import io.llmc4j.formats.audit.LayerAudit;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;

/** An audit, and a difference of codes, for the terminal. */
public final class AuditTable {

    private AuditTable() {
    }

    public static void print(AuditReport r, PrintWriter out) {
        out.println("quantized  " + r.quantized());
        out.println("original   " + r.original());
        out.println("format     " + r.format() + ", family " + r.family() + (r.bits() > 0 ? String.format(Locale.ROOT, ", %.3f bits a weight", r.bits()) : ""));
        r.transforms().forEach(t -> out.println("undone     " + t));
        out.println();
        if (!r.layers().isEmpty()) {
            Table t = new Table("layer", "scheme", ">snr dB", ">rel.error", ">plain", ">least", ">max", ">cosine", ">saturated", ">levels", "remarks");
            for (LayerAudit l : r.layers()) {
                t.row(l.name(), l.scheme(), decibels(l.error().snr()), number(l.error().relative()), l.plain().map(AuditTable::number).orElse(""),
                        l.plainMse().map(AuditTable::number).orElse(""), Text.number(l.error().max()), String.format(Locale.ROOT, "%.5f", l.error().cosine()),
                        l.saturated().map(s -> String.format(Locale.ROOT, "%.1f%%", 100 * s)).orElse(""), l.levels().map(v -> v.used() + "/" + v.all()).orElse(""), remarks(l));
            }
            t.print(out);
            out.println();
        }
        r.data().ifPresent(d -> data(d, out));
        r.reproduced().ifPresent(d -> out.println("reproduced  " + d.verdict()));
        findings("FAULT", r.of(Finding.Severity.FAULT), out);
        findings("warning", r.of(Finding.Severity.WARNING), out);
        findings("note", r.of(Finding.Severity.NOTE), out);
        out.println(r.verdict());
        out.flush();
    }

    static String decibels(double snr) {
        return Double.isInfinite(snr) ? (snr > 0 ? "exact" : "-") : Double.isNaN(snr) ? "NaN" : String.format(Locale.ROOT, "%.1f", snr);
    }

    static String number(double v) {
        return String.format(Locale.ROOT, "%.5f", v);
    }

    static String remarks(LayerAudit l) {
        StringBuilder s = new StringBuilder(l.sound() ? "" : "FAULT");
        if (l.worse()) {
            s.append(s.isEmpty() ? "" : "; ").append("worse than nearest");
        }
        if (!l.reference().equals("original")) {
            s.append(s.isEmpty() ? "" : "; ").append(l.reference().replace("original, ", ""));
        }
        return s.toString();
    }

    private static void data(DataAudit d, PrintWriter out) {
        out.println(String.format(Locale.ROOT, "text       %s, %d windows of %d tokens", d.data(), d.windows(), d.seqLen()));
        out.println(String.format(Locale.ROOT, "perplexity %.4f became %.4f; same most likely token at %.2f %% of the positions; divergence %.5f nats", d.perplexity(), d.quantized(),
                100 * d.agreement(), d.divergence()));
        StringBuilder s = new StringBuilder("states     relative difference after each block:");
        d.blockErrors().forEach(e -> s.append(String.format(Locale.ROOT, " %.4f", e)));
        out.println(s);
        out.println(d.parting() < 0 ? "           they nowhere part" : "           they part in block " + d.parting());
        out.println();
    }

    private static void findings(String label, List<Finding> list, PrintWriter out) {
        for (Finding f : list) {
            out.println(label + "  " + f.rule() + (f.where().isEmpty() ? "" : "  " + f.where()) + ": " + f.message());
        }
    }

    /** Layers that differ, and the verdict. */
    public static void print(CodeDifference d, PrintWriter out) {
        out.println("left   " + d.left());
        out.println("right  " + d.right());
        out.println();
        Table t = new Table("layer", "left", "right", ">codes", ">different", ">share", ">step", ">scales", ">zeros", "note");
        for (CodeDifference.Layer l : d.layers()) {
            t.row(l.name(), l.leftScheme(), l.rightScheme(), l.codes(), l.different(), String.format(Locale.ROOT, "%.4f%%", 100 * l.share()), l.largestStep(),
                    Text.number(l.scaleError()), l.zeros(), l.note());
        }
        t.print(out);
        out.println();
        out.println(d.verdict());
        out.flush();
    }
}
