package io.llmc4j.cli.report;

import io.llmc4j.cli.console.Text;
import io.llmc4j.formats.audit.AuditReport;
import io.llmc4j.formats.audit.CodeDifference;
import io.llmc4j.formats.audit.DataAudit;
import io.llmc4j.formats.audit.Finding;
import io.llmc4j.formats.audit.LayerAudit;
import java.util.List;
import java.util.Locale;

/** An audit as one self-contained page: no script, no network, readable by somebody who has never seen one. */
public final class AuditPage {

    private static final String STYLE = """
            :root{color-scheme:light dark}
            body{font:16px/1.5 system-ui,sans-serif;color:#1a1a1a;background:#fff;max-width:960px;margin:2rem auto;padding:0 1rem}
            h1{font-size:1.5rem;margin:0 0 .3rem}h2{font-size:1.15rem;margin:2.2rem 0 .5rem}
            p{margin:.5rem 0}.quiet{color:#555}
            .verdict{padding:.8rem 1rem;border-left:6px solid;margin:1rem 0;font-weight:600;overflow-wrap:anywhere}
            .sound{border-color:#1b7a3d;background:#eef7f0}.unsound{border-color:#b00020;background:#fdeff0}
            table{border-collapse:collapse;font-size:.85rem;font-variant-numeric:tabular-nums}
            th,td{padding:.2rem .6rem;text-align:left;border-bottom:1px solid #e4e4e4;vertical-align:top}
            th{font-weight:600}td.n,th.n{text-align:right;white-space:nowrap}
            tr.bad td{background:#fdeff0}.scroll{overflow-x:auto}
            dl{display:grid;grid-template-columns:fit-content(16rem) minmax(0,1fr);gap:.2rem 1rem}dt{color:#555}dd{margin:0;overflow-wrap:anywhere}
            ul{padding-left:1.2rem}li{margin:.3rem 0;overflow-wrap:anywhere}
            b.fault{color:#b00020}b.warning{color:#8a5a00}b.note{color:#555}
            svg{width:100%;height:auto;display:block}svg text{font:12px system-ui,sans-serif;fill:#333}svg .axis{fill:#555}
            .legend span{margin-right:1rem;white-space:nowrap;font-size:.85rem}.legend i{display:inline-block;width:.8em;height:.8em;margin-right:.35em}
            summary{cursor:pointer}.scroll svg{min-width:34rem}
            @media (max-width:40rem){dl{display:block}dt{margin-top:.5rem}}
            @media (prefers-color-scheme:dark){body{background:#16181c;color:#e4e4e4}.quiet,dt,b.note{color:#a8a8a8}.sound{background:#143222}.unsound,tr.bad td{background:#3a1a1e}
            th,td{border-color:#3a3d42}b.fault{color:#ff8088}b.warning{color:#f0c060}svg{background:#fff;border-radius:4px}}
            """;

    private AuditPage() {
    }

    public static String html(AuditReport r) {
        StringBuilder s = new StringBuilder(1 << 16);
        String name = r.quantized().substring(r.quantized().replaceAll("/+$", "").lastIndexOf('/') + 1);
        s.append("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>Audit of ")
                .append(e(name)).append("</title><style>").append(STYLE).append("</style></head><body>\n");
        s.append("<h1>Audit of ").append(e(name)).append("</h1>\n");
        s.append("<p class=\"quiet\">A compressed (quantized) language model was compared with the original that it was made from, layer by layer. This page says whether it is what its "
                + "format and its original say it should be, and how much accuracy each layer lost.</p>\n");
        s.append("<p class=\"verdict ").append(r.sound() ? "sound" : "unsound").append("\">").append(e(r.verdict())).append("</p>\n");
        summary(r, s);
        findings(r, s);
        List<LayerAudit> drawn = r.quantizedLayers().isEmpty() ? r.layers() : r.quantizedLayers();
        if (!drawn.isEmpty()) {
            s.append("<h2>Error by layer</h2>\n<p class=\"quiet\">Signal-to-noise ratio of each layer's weights in decibels: higher is closer to the original, and 6 dB more is half the "
                    + "error. Every bit of a code is worth about 6 dB. A ringed point has a fault.</p>\n").append(scrolled(AuditCharts.byLayer(drawn)));
            s.append("<h2>Error by kind of layer</h2>\n<p class=\"quiet\">Mean relative error of the weights. The black tick is what plain rounding to the nearest value on the same grid "
                    + "would give. Methods that look at real inputs, such as GPTQ, may lie a little beyond it on purpose; a bar far beyond it is not.</p>\n")
                    .append(scrolled(AuditCharts.byKindOfLayer(drawn)));
        }
        r.data().ifPresent(d -> data(d, s));
        r.reproduced().ifPresent(d -> reproduced(d, s));
        if (!r.layers().isEmpty()) {
            layers(r.layers(), s);
        }
        words(s);
        return s.append("</body></html>\n").toString();
    }

    /** A chart stays readable on a narrow screen: it scrolls instead of shrinking. */
    private static String scrolled(String chart) {
        return "<div class=\"scroll\">" + chart + "</div>\n";
    }

    private static String e(String text) {
        return Markup.escaped(text);
    }

    private static void summary(AuditReport r, StringBuilder s) {
        s.append("<dl>");
        item(s, "quantized model", r.quantized());
        item(s, "original", r.original());
        item(s, "format", r.format() + " (architecture: " + r.family() + ")");
        if (r.bits() > 0) {
            item(s, "average bits of a weight", String.format(Locale.ROOT, "%.3f, scales and zero points included", r.bits()));
        }
        if (!r.layers().isEmpty()) {
            item(s, "linear layers", r.layers().size() + ", of which " + r.quantizedLayers().size() + " quantized");
        }
        r.transforms().forEach(t -> item(s, "recognized and undone", t));
        s.append("</dl>\n");
    }

    private static void item(StringBuilder s, String key, String value) {
        s.append("<dt>").append(e(key)).append("</dt><dd>").append(e(value)).append("</dd>");
    }

    private static void findings(AuditReport r, StringBuilder s) {
        s.append("<h2>Findings</h2>\n");
        if (r.findings().isEmpty()) {
            s.append("<p>None: names, types, shapes, scales, zero points, codes and every layer's weights are as they should be.</p>\n");
            return;
        }
        s.append("<ul>");
        for (Finding.Severity severity : Finding.Severity.values()) {
            String label = severity.name().toLowerCase(Locale.ROOT);
            for (Finding f : r.of(severity)) {
                s.append("<li><b class=\"").append(label).append("\">").append(label).append("</b> ").append(f.where().isEmpty() ? "" : "<code>" + e(f.where()) + "</code>: ")
                        .append(e(f.message())).append("</li>");
            }
        }
        s.append("</ul>\n");
    }

    private static void data(DataAudit d, StringBuilder s) {
        s.append("<h2>What both models say to a text</h2>\n<dl>");
        item(s, "text", d.data() + ", " + d.windows() + " windows of " + d.seqLen() + " tokens");
        item(s, "perplexity", String.format(Locale.ROOT, "%.4f (original), %.4f (quantized): lower is better", d.perplexity(), d.quantized()));
        item(s, "same most likely next token", String.format(Locale.ROOT, "%.2f %% of the positions", 100 * d.agreement()));
        item(s, "mean divergence of the next token's distribution", String.format(Locale.ROOT, "%.5f nats (Kullback-Leibler)", d.divergence()));
        item(s, "hidden states", d.parting() < 0 ? "nowhere part" : "part in block " + d.parting());
        s.append("</dl>\n<p class=\"quiet\">Relative difference of the two models' hidden states after each block. It usually grows slowly; a jump says where to look.</p>\n")
                .append(scrolled(AuditCharts.states(d.blockErrors(), d.parting())));
    }

    private static void reproduced(CodeDifference d, StringBuilder s) {
        s.append("<h2>Is it what the configuration gives?</h2>\n<p>").append(e(d.verdict())).append("</p>\n");
        if (d.same()) {
            return;
        }
        s.append("<div class=\"scroll\"><table><tr><th>layer</th><th class=\"n\">codes</th><th class=\"n\">different</th><th class=\"n\">largest step</th><th>note</th></tr>");
        d.layers().stream().filter(l -> !l.same()).forEach(l -> s.append("<tr><td>").append(e(l.name())).append("</td><td class=\"n\">").append(l.codes())
                .append("</td><td class=\"n\">").append(String.format(Locale.ROOT, "%.4f %%", 100 * l.share())).append("</td><td class=\"n\">").append(l.largestStep())
                .append("</td><td>").append(e(l.note())).append("</td></tr>"));
        s.append("</table></div>\n");
    }

    private static void layers(List<LayerAudit> layers, StringBuilder s) {
        s.append("<h2>Every layer</h2>\n<details><summary>").append(layers.size()).append(" layers</summary><div class=\"scroll\"><table><tr><th>layer</th><th>stored as</th>"
                + "<th class=\"n\">SNR dB</th><th class=\"n\">rel. error</th><th class=\"n\">plain</th><th class=\"n\">least error</th><th class=\"n\">max error</th>"
                + "<th class=\"n\">cosine</th><th class=\"n\">saturated</th><th class=\"n\">levels</th><th>remarks</th></tr>\n");
        for (LayerAudit l : layers) {
            s.append(l.sound() ? "<tr><td>" : "<tr class=\"bad\"><td>").append(e(l.name())).append("</td><td>").append(e(l.scheme())).append("</td>");
            number(s, AuditTable.decibels(l.error().snr()));
            number(s, AuditTable.number(l.error().relative()));
            number(s, l.plain().map(AuditTable::number).orElse(""));
            number(s, l.plainMse().map(AuditTable::number).orElse(""));
            number(s, Text.number(l.error().max()));
            number(s, String.format(Locale.ROOT, "%.5f", l.error().cosine()));
            number(s, l.saturated().map(x -> String.format(Locale.ROOT, "%.1f %%", 100 * x)).orElse(""));
            number(s, l.levels().map(v -> v.used() + " of " + v.all()).orElse(""));
            s.append("<td>").append(e(AuditTable.remarks(l))).append("</td></tr>\n");
        }
        s.append("</table></div></details>\n");
    }

    private static void number(StringBuilder s, String v) {
        s.append("<td class=\"n\">").append(e(v)).append("</td>");
    }

    private static void words(StringBuilder s) {
        s.append("<h2>Words</h2>\n<dl>");
        item(s, "quantized", "each weight is replaced by a small number, its code; (code − zero point) × scale gives the weight back, nearly");
        item(s, "range, group", "the weights that share one scale and zero point");
        item(s, "relative error", "length of the difference from the original, over the length of the original");
        item(s, "plain", "the relative error of rounding to the nearest code, with ranges from the smallest to the largest weight");
        item(s, "least error", "the same with the ranges that a search finds best");
        item(s, "worse than nearest", "more than 25 % beyond plain: usual for methods that serve the layer's output rather than its weights");
        item(s, "saturated", "share of codes at either end of the grid");
        item(s, "levels", "distinct codes that occur, of those that the grid has");
        item(s, "scaled with, rotated", "the method changed neighbouring layers together without changing the model; the original was changed in the same way before it was compared");
        s.append("</dl>\n");
    }
}
