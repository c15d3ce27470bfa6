package io.llmc4j.cli.run;

import io.llmc4j.cli.console.Table;
import io.llmc4j.engine.pipeline.TargetBits;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** What was chosen under {@code target_bits}, as the terminal and report.json tell it. */
record BitChoice(BitTarget target, TargetBits.Choice choice) {

    void print(PrintWriter out) {
        out.println(String.format(Locale.ROOT, "bits by sensitivity: %.3f on average of %s allowed; what rounding adds to the loss, nats a token, by width", choice.averageBits(),
                BitTarget.text(target.average())));
        List<String> heads = new ArrayList<>(List.of(">block", "layers"));
        target.widths().forEach(w -> heads.add(">loss at " + w));
        heads.addAll(List.of(">chosen", ">stored bits"));
        Table table = new Table(heads.toArray(String[]::new));
        for (TargetBits.Row r : choice.rows()) {
            List<Object> cells = new ArrayList<>(List.of(r.block(), names(r)));
            target.widths().forEach(w -> cells.add(String.format(Locale.ROOT, "%.2e", r.errors().get(w))));
            cells.add(r.width());
            cells.add(String.format(Locale.ROOT, "%.3f", r.bits()));
            table.row(cells.toArray());
        }
        table.print(out);
        out.println();
    }

    private static String names(TargetBits.Row r) {
        List<String> last = r.layers().stream().map(n -> n.substring(n.lastIndexOf('.') + 1)).distinct().toList();
        return String.join(", ", last) + (last.size() < r.layers().size() ? " of " + r.layers().size() / last.size() : "");
    }

    Map<String, Object> asMap() {
        Map<String, Object> m = new LinkedHashMap<>();
        m.put("target", target.average());
        m.put("average", choice.averageBits());
        m.put("widths", target.widths());
        List<Object> rows = new ArrayList<>();
        for (TargetBits.Row r : choice.rows()) {
            Map<String, Object> x = new LinkedHashMap<>();
            x.put("block", r.block());
            x.put("layers", r.layers());
            x.put("weights", r.weights());
            Map<String, Object> errors = new LinkedHashMap<>();
            r.errors().forEach((w, e) -> errors.put(String.valueOf(w), e));
            x.put("errors", errors);
            x.put("width", r.width());
            x.put("bits", r.bits());
            rows.add(x);
        }
        m.put("layers", rows);
        return m;
    }
}
