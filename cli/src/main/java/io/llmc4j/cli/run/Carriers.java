package io.llmc4j.cli.run;

import io.llmc4j.cli.config.MethodCard;
import io.llmc4j.engine.method.MethodOptions;
import io.llmc4j.engine.method.Methods;
import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.pipeline.IgnoredLayers;
import io.llmc4j.engine.pipeline.SchemePlan;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.formats.export.ExportFormat;
import io.llmc4j.formats.export.Exports;
import io.llmc4j.formats.export.PlannedLayer;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Which formats can carry what a method makes, by the formats' own rules on the schemes that the method is for. */
public final class Carriers {

    private static final Granularity GROUPS = Granularity.perGroup(64);
    private static final QuantScheme TOKENS = QuantScheme.integer(8, true, Granularity.PER_TOKEN);

    private Carriers() {
    }

    /** Names of formats, in the order of their list. */
    public static List<String> of(String method) {
        return Exports.all().stream().filter(f -> schemes(method).stream().anyMatch(s -> carries(f, method, s))).map(ExportFormat::name).toList();
    }

    /** "all", or the names. */
    public static String text(String method) {
        List<String> names = of(method);
        List<String> others = Exports.all().stream().map(ExportFormat::name).filter(n -> !names.contains(n)).toList();
        return others.isEmpty() ? "all" : others.size() <= 2 ? "all but " + String.join(", ", others) : String.join(", ", names);
    }

    private static List<SchemePlan> schemes(String method) {
        if (MethodCard.of(method).stage().equals("prune")) {
            return List.of(new SchemePlan(Optional.empty(), Optional.empty(), List.of(), IgnoredLayers.NONE));
        }
        QuantScheme eight = QuantScheme.integer(8, true, Granularity.PER_CHANNEL);
        return switch (method) {
            case "HQQ", "SpQR" -> List.of(SchemePlan.of(QuantScheme.integer(4, false, GROUPS).withRoundZeroPoint(false)));
            case "DGQ" -> List.of(SchemePlan.of(eight.withFormat(new NumberFormat.Int4OverInt8(eight, QuantScheme.integer(4, false, GROUPS),
                    new NumberFormat.SecondLevel(Float.NEGATIVE_INFINITY, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, Float.POSITIVE_INFINITY))), TOKENS));
            case "QUIK", "LlmInt8" -> List.of(SchemePlan.of(eight, TOKENS));
            default -> List.of(SchemePlan.of(QuantScheme.integer(4, true, GROUPS)), SchemePlan.of(QuantScheme.integer(4, false, GROUPS)), SchemePlan.of(eight),
                    SchemePlan.of(eight, TOKENS), SchemePlan.of(QuantScheme.microscaling("e2m1")));
        };
    }

    private static boolean carries(ExportFormat format, String method, SchemePlan s) {
        String why = Methods.named(method).whyNoCodes(new MethodOptions(Map.of(), s, true, false));
        Optional<QuantScheme> weight = s.weight();
        PlannedLayer layer = new PlannedLayer("model.layers.0.mlp.down_proj", Role.DOWN, 256, 256, weight, s.activation(), false,
                weight.isPresent() && why.isEmpty() ? Quantizer.of(weight.get()).whyNoCodes() : why);
        // Formats of codes would hold a pruned model as the floats that it is.
        return weight.isPresent() ? Exports.carries(format, List.of(layer)) : !format.holdsCodes() || format.roundsAgain();
    }
}
