package io.llmc4j.formats.export;

import io.llmc4j.engine.model.Role;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Servers join query, key and value, and gate and up, into one product when they load a model; what they join must be rounded alike. */
public final class FusedParts {

    private FusedParts() {
    }

    /** One clause for each block and set of roles whose layers have different schemes. */
    public static List<String> disagreements(List<PlannedLayer> layers, Set<Set<Role>> joined) {
        List<String> out = new ArrayList<>();
        for (Set<Role> roles : joined) {
            Map<String, List<PlannedLayer>> byParent = new LinkedHashMap<>();
            for (PlannedLayer l : layers) {
                if (roles.contains(l.role())) {
                    byParent.computeIfAbsent(l.name().substring(0, Math.max(0, l.name().lastIndexOf('.'))), k -> new ArrayList<>()).add(l);
                }
            }
            byParent.forEach((parent, parts) -> {
                if (parts.stream().map(PlannedLayer::weight).distinct().count() > 1 || parts.stream().map(PlannedLayer::activation).distinct().count() > 1) {
                    out.add(parts.stream().map(PlannedLayer::name).toList() + " are joined when the model is loaded and must have the same weight and activation scheme");
                }
            });
        }
        return out;
    }
}
