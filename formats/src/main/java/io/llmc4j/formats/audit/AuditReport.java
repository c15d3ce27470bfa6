package io.llmc4j.formats.audit;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * All that an audit says.
 *
 * @param quantized  as the user named it
 * @param family     of the architecture, "llama"
 * @param format     "compressed-tensors, pack-quantized"
 * @param transforms recognized equivalent transformations, a line each
 * @param data       empty without a text
 * @param reproduced empty without a configuration
 */
public record AuditReport(String quantized, String original, String family, String format, List<String> transforms, List<Finding> findings,
                          List<LayerAudit> layers, Optional<DataAudit> data, Optional<CodeDifference> reproduced, double seconds) {

    public AuditReport {
        transforms = List.copyOf(transforms);
        findings = List.copyOf(findings);
        layers = List.copyOf(layers);
    }

    public boolean sound() {
        return faults().isEmpty();
    }

    public List<Finding> faults() {
        return of(Finding.Severity.FAULT);
    }

    public List<Finding> of(Finding.Severity severity) {
        return findings.stream().filter(f -> f.severity() == severity).toList();
    }

    /** Quantized layers alone. */
    public List<LayerAudit> quantizedLayers() {
        return layers.stream().filter(l -> l.plain().isPresent() || l.levels().isPresent() || !l.scheme().equals("float")).toList();
    }

    /** Average bits of a weight of the quantized layers. */
    public double bits() {
        double bits = 0;
        double weights = 0;
        for (LayerAudit l : quantizedLayers()) {
            bits += l.bits() * l.out() * l.in();
            weights += (double) l.out() * l.in();
        }
        return weights == 0 ? 0 : bits / weights;
    }

    /** One line. */
    public String verdict() {
        List<Finding> faults = faults();
        long warnings = findings.stream().filter(f -> f.severity() == Finding.Severity.WARNING).count();
        String also = warnings == 0 ? "" : warnings == 1 ? ", 1 warning" : ", " + warnings + " warnings";
        if (faults.isEmpty()) {
            List<LayerAudit> q = quantizedLayers();
            return "SOUND: " + q.size() + " quantized layers are what " + format + " makes of the original" + also;
        }
        return "UNSOUND: " + (faults.size() == 1 ? "1 fault" : faults.size() + " faults") + also + "; first: " + first(faults.getFirst());
    }

    private static String first(Finding f) {
        String s = f.where().isEmpty() ? f.message() : f.where() + ": " + f.message();
        return s.length() > 200 ? s.substring(0, 199) + "…" : s;
    }

    public AuditReport withReproduction(CodeDifference difference, List<Finding> more) {
        List<Finding> all = new ArrayList<>(findings);
        all.addAll(more);
        return new AuditReport(quantized, original, family, format, transforms, all, layers, data, Optional.of(difference), seconds);
    }
}
