package io.llmc4j.cli.run;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;

/** Checks that need the shapes of all layers. */
final class Layers {

    private static final int SHOWN = 12;

    private Layers() {
    }

    /** Throws BadInput (CONFIG) naming every layer that its granularity does not divide. */
    static void checkGroups(List<PlannedRunLayer> layers) {
        List<String> bad = new ArrayList<>();
        TreeSet<Integer> sizes = new TreeSet<>();
        int common = 0;
        for (PlannedRunLayer l : layers) {
            if (!l.scheme().quantized()) {
                continue;
            }
            QuantScheme s = l.scheme().weight().orElseThrow();
            Granularity g = s.granularity();
            common = gcd(common, l.in());
            if (g.kind() == Granularity.Kind.PER_GROUP && g.size() < l.in() && l.in() % g.size() != 0) {
                bad.add("  " + l.fullName() + "  in_features " + l.in() + " (" + l.in() / g.size() + " groups of " + g.size() + " and " + l.in() % g.size() + " left)");
                sizes.add(g.size());
            } else if (g.kind() == Granularity.Kind.PER_HEAD && l.weights() % g.size() != 0) {
                bad.add("  " + l.fullName() + "  [" + l.out() + ", " + l.in() + "] does not split into " + g.size() + " heads");
                sizes.add(g.size());
            }
        }
        if (bad.isEmpty()) {
            return;
        }
        String shown = String.join("\n", bad.subList(0, Math.min(SHOWN, bad.size()))) + (bad.size() > SHOWN ? "\n  and " + (bad.size() - SHOWN) + " more" : "");
        int fits = Integer.lowestOneBit(common);
        throw BadInput.of(BadInput.Common.CONFIG, "group_size %s does not divide in_features of %d layers:%n%s%nuse group_size %d, or per_channel, or list them under "
                + "ignored_layers", String.join(", ", sizes.stream().map(String::valueOf).toList()), bad.size(), shown, Math.min(fits, 128));
    }

    private static int gcd(int a, int b) {
        return b == 0 ? a : gcd(b, a % b);
    }
}
