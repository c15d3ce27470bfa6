package io.llmc4j.cli.report;

import io.llmc4j.engine.json.Json;
import io.llmc4j.formats.audit.AuditReport;
import io.llmc4j.formats.audit.CodeDifference;
import io.llmc4j.formats.audit.DataAudit;
import io.llmc4j.formats.audit.Finding;
import io.llmc4j.formats.audit.LayerAudit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** An audit, and a difference of codes, for machines. */
public final class AuditJson {

    private AuditJson() {
    }

    public static String text(AuditReport r) {
        Map<String, Object> m = new LinkedHashMap<>();
        m.put("quantized", r.quantized());
        m.put("original", r.original());
        m.put("family", r.family());
        m.put("format", r.format());
        m.put("sound", r.sound());
        m.put("verdict", r.verdict());
        m.put("bits", r.bits());
        m.put("transforms", r.transforms());
        List<Object> findings = new ArrayList<>();
        for (Finding f : r.findings()) {
            Map<String, Object> x = new LinkedHashMap<>();
            x.put("severity", f.severity().name().toLowerCase(java.util.Locale.ROOT));
            x.put("rule", f.rule().name());
            x.put("where", f.where());
            x.put("message", f.message());
            findings.add(x);
        }
        m.put("findings", findings);
        m.put("layers", r.layers().stream().map(AuditJson::layer).toList());
        r.data().ifPresent(d -> m.put("data", data(d)));
        r.reproduced().ifPresent(d -> m.put("reproduced", difference(d)));
        m.put("seconds", r.seconds());
        return Json.indented(m);
    }

    private static Map<String, Object> layer(LayerAudit l) {
        Map<String, Object> x = new LinkedHashMap<>();
        x.put("block", l.block());
        x.put("name", l.name());
        x.put("shape", List.of(l.out(), l.in()));
        x.put("scheme", l.scheme());
        x.put("bits", l.bits());
        x.put("reference", l.reference());
        x.put("relativeError", l.error().relative());
        x.put("snrDb", l.error().snr());
        x.put("maxError", l.error().max());
        x.put("cosine", l.error().cosine());
        l.plain().ifPresent(p -> x.put("plainRounding", p));
        l.plainMse().ifPresent(p -> x.put("plainRoundingLeastError", p));
        l.saturated().ifPresent(s -> x.put("saturated", s));
        l.levels().ifPresent(v -> x.put("levels", List.of(v.used(), v.all())));
        x.put("worseThanNearest", l.worse());
        l.cause().ifPresent(c -> x.put("cause", c));
        x.put("sound", l.sound());
        return x;
    }

    private static Map<String, Object> data(DataAudit d) {
        Map<String, Object> x = new LinkedHashMap<>();
        x.put("data", d.data());
        x.put("windows", d.windows());
        x.put("seqLen", d.seqLen());
        x.put("perplexity", d.perplexity());
        x.put("quantizedPerplexity", d.quantized());
        x.put("tokenAgreement", d.agreement());
        x.put("divergence", d.divergence());
        x.put("blockErrors", d.blockErrors());
        x.put("partingBlock", d.parting());
        return x;
    }

    public static Map<String, Object> difference(CodeDifference d) {
        Map<String, Object> m = new LinkedHashMap<>();
        m.put("left", d.left());
        m.put("right", d.right());
        m.put("same", d.same());
        m.put("verdict", d.verdict());
        m.put("share", d.share());
        List<Object> layers = new ArrayList<>();
        for (CodeDifference.Layer l : d.layers()) {
            Map<String, Object> x = new LinkedHashMap<>();
            x.put("name", l.name());
            x.put("leftScheme", l.leftScheme());
            x.put("rightScheme", l.rightScheme());
            x.put("codes", l.codes());
            x.put("different", l.different());
            x.put("largestStep", l.largestStep());
            x.put("scaleError", l.scaleError());
            x.put("zeros", l.zeros());
            x.put("note", l.note());
            layers.add(x);
        }
        m.put("layers", layers);
        return m;
    }
}
