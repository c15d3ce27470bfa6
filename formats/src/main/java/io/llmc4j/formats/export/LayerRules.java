package io.llmc4j.formats.export;

import io.llmc4j.engine.quant.Granularity;
import java.util.List;

/** The rules that formats of weight codes share; each adds its clause to the {@link ExportFormat#problems problems} of a layer that breaks it. */
public final class LayerRules {

    private LayerRules() {
    }

    /** The method has to give codes. */
    public static void codes(PlannedLayer layer, List<String> problems) {
        if (!layer.whyNoCodes().isEmpty()) {
            problems.add("the method gives no codes: " + layer.whyNoCodes());
        }
    }

    /** Scales per group or per channel; the layer's weight is quantized. */
    public static void groupsOrChannels(PlannedLayer layer, List<String> problems) {
        Granularity.Kind kind = layer.weight().orElseThrow().granularity().kind();
        if (kind != Granularity.Kind.PER_GROUP && kind != Granularity.Kind.PER_CHANNEL) {
            problems.add("scales " + kind + ": it takes them per group or channel");
        }
    }

    /** Inputs stay float. */
    public static void weightsAlone(PlannedLayer layer, List<String> problems) {
        if (layer.activation().isPresent()) {
            problems.add("rounded activations: it is for weights alone");
        }
    }

    /** Groups are of neighbouring columns. */
    public static void contiguousGroups(PlannedLayer layer, List<String> problems) {
        if (layer.actOrder()) {
            problems.add("act-order groups: it has no order of columns; static_groups: true gives contiguous ones");
        }
    }
}
