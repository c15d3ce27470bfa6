package io.llmc4j.formats.hf;

import io.llmc4j.engine.BadInput;
import io.llmc4j.formats.hf.TensorFate.Fate;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Accounts for every tensor of a checkpoint. A tensor inside a block that nobody knows may change the mathematics: it is refused by name. */
final class TensorAccount {

    static final String OUTSIDE = "not part of the text model";

    private final Map<String, String> used = new HashMap<>();
    private final Map<String, String> dropped = new HashMap<>();

    void use(String tensor, String role) {
        used.put(tensor, role);
    }

    void drop(String tensor, String reason) {
        dropped.put(tensor, reason);
    }

    boolean knows(String tensor) {
        return used.containsKey(tensor) || dropped.containsKey(tensor);
    }

    /**
     * @param inside  prefix of everything that belongs to the text model ("model."), "" when names have no root
     * @param carried what is known not to take part
     */
    List<TensorFate> settle(List<String> names, String inside, List<ModelShape.Carried> carried, String where) {
        List<TensorFate> fates = new ArrayList<>();
        List<String> unknown = new ArrayList<>();
        Set<String> present = new HashSet<>(names);
        for (String n : names) {
            if (used.containsKey(n)) {
                fates.add(new TensorFate(n, Fate.USED, used.get(n)));
            } else if (dropped.containsKey(n)) {
                fates.add(new TensorFate(n, Fate.DROPPED, dropped.get(n)));
            } else {
                carried.stream().filter(c -> n.startsWith(c.prefix())).findFirst().ifPresentOrElse(
                        c -> fates.add(new TensorFate(n, Fate.CARRIED, c.reason())),
                        () -> {
                            if (n.startsWith(inside)) {
                                unknown.add(n);
                            } else {
                                fates.add(new TensorFate(n, Fate.CARRIED, OUTSIDE));
                            }
                        });
            }
        }
        if (!unknown.isEmpty()) {
            throw BadInput.of(BadInput.Common.NOT_SUPPORTED, "%s: %d tensors of the text model have no role in this architecture: %s; "
                    + "leaving them out would change the model", where, unknown.size(), String.join(", ", unknown.subList(0, Math.min(12, unknown.size()))));
        }
        List<String> missing = used.keySet().stream().filter(n -> !present.contains(n)).sorted().toList();
        if (!missing.isEmpty()) {
            throw BadInput.of(BadInput.Common.MODEL, "%s: %d tensors are missing: %s", where, missing.size(),
                    String.join(", ", missing.subList(0, Math.min(12, missing.size()))));
        }
        return fates;
    }
}
