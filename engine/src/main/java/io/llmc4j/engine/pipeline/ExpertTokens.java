package io.llmc4j.engine.pipeline;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.calibrate.Capture;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.tensor.Matrix;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;

/** Which calibration tokens the experts of one block saw, and what the rules say about those that saw none. */
final class ExpertTokens {

    private final Block block;
    private final ExpertRules rules;
    private final boolean llmcCompatible;
    private final int count;
    private long[] chosen = new long[0];
    private long all;
    private final Map<Integer, Integer> standIns = new HashMap<>();

    ExpertTokens(Block block, RunConfig config) {
        this.block = block;
        this.rules = config.experts();
        this.llmcCompatible = config.llmcCompatible();
        this.count = block.spec().feedForward().experts().map(e -> e.count()).orElse(0);
    }

    /** Whether a pass that gathers for these layers is to show every token to every expert. */
    boolean allTokens(Collection<String> wanted) {
        return rules.calibrateAll() && wanted.stream().anyMatch(n -> block.linear(n).expert() >= 0);
    }

    /**
     * A pass over the whole block has ended. Throws BadInput (DATA) naming the experts that no token reached when the rule is
     * {@link ExpertRules.Uncalibrated#ERROR}, whether or not a method asks for their inputs.
     */
    void counted(Capture capture, String prefix) {
        if (capture.expertTokens().length == 0) {
            return;
        }
        chosen = capture.expertTokens();
        all = capture.tokens();
        if (llmcCompatible || rules.calibrateAll() || rules.uncalibrated() != ExpertRules.Uncalibrated.ERROR) {
            return;
        }
        List<String> without = IntStream.range(0, count).filter(e -> chosen[e] == 0).mapToObj(String::valueOf).toList();
        if (!without.isEmpty()) {
            throw BadInput.of(BadInput.Common.DATA, "no calibration token reached %d of the %d experts of %s: %s; use more calibration text, --calibrate-all-experts, or "
                    + "--uncalibrated-experts nearest or rtn", without.size(), count, prefix, String.join(", ", without));
        }
    }

    /** False where passes were counted and none of their tokens chose the expert. */
    boolean reached(int expert) {
        return expert < 0 || chosen.length == 0 || chosen[expert] > 0;
    }

    /** Layers of experts among {@code wanted} that a pass did not show. */
    Set<String> unseen(Collection<String> wanted, Capture capture) {
        Set<String> names = new LinkedHashSet<>();
        for (String n : wanted) {
            if (block.linear(n).expert() >= 0 && !capture.byLayer().containsKey(n)) {
                names.add(n);
            }
        }
        return names;
    }

    /** Whether layers that no token reached are to be shown the tokens of other experts. */
    boolean standIn() {
        return !llmcCompatible && rules.uncalibrated() == ExpertRules.Uncalibrated.NEAREST && all > 0;
    }

    /** Whose tokens each of these layers' experts is to see. */
    Map<Integer, Integer> standIns(Set<String> layers) {
        Map<Integer, Integer> out = new HashMap<>();
        for (String n : layers) {
            out.computeIfAbsent(block.linear(n).expert(), this::nearest);
        }
        standIns.putAll(out);
        return out;
    }

    private int nearest(int expert) {
        Matrix router = block.linear(Role.ROUTER).orElseThrow().weight();
        int best = -1;
        double largest = Double.NEGATIVE_INFINITY;
        for (int e = 0; e < count; e++) {
            double c = chosen[e] == 0 ? Double.NEGATIVE_INFINITY : cosine(router, expert, e);
            if (c > largest) {
                largest = c;
                best = e;
            }
        }
        return best < 0 ? expert : best;
    }

    private static double cosine(Matrix m, int a, int b) {
        double ab = 0;
        double aa = 0;
        double bb = 0;
        for (int i = 0; i < m.cols(); i++) {
            double x = m.get(a, i);
            double y = m.get(b, i);
            ab += x * y;
            aa += x * x;
            bb += y * y;
        }
        return aa == 0 || bb == 0 ? -1 : ab / Math.sqrt(aa * bb);
    }

    /**
     * The layers, in order, whose statistics fit into {@code bytes} together; those of one expert are never parted, and the first expert always fits.
     * Layers outside experts all are in.
     *
     * @param from experts before this one are left out, with their layers
     */
    List<String> fitting(List<String> names, int from, long bytes) {
        Map<Integer, Map<Integer, Boolean>> widths = new java.util.TreeMap<>();
        for (String n : names) {
            Linear l = block.linear(n);
            if (l.expert() >= from && l.expert() >= 0) {
                widths.computeIfAbsent(l.expert(), e -> new HashMap<>()).put(l.in(), true);
            }
        }
        Set<Integer> in = new TreeSet<>();
        long sum = 0;
        for (Map.Entry<Integer, Map<Integer, Boolean>> e : widths.entrySet()) {
            for (int width : e.getValue().keySet()) {
                sum += 4L * width * width;
            }
            if (sum > bytes && !in.isEmpty()) {
                break;
            }
            in.add(e.getKey());
        }
        List<String> out = new ArrayList<>();
        for (String n : names) {
            int e = block.linear(n).expert();
            if (e < 0 ? from <= 0 : in.contains(e)) {
                out.add(n);
            }
        }
        return out;
    }

    /** What the report says about an expert's layer; empty before any pass. */
    String note(Linear layer) {
        int e = layer.expert();
        if (e < 0 || chosen.length == 0) {
            return "";
        }
        if (rules.calibrateAll()) {
            return "seen by all " + all + " tokens, " + chosen[e] + " of them its own";
        }
        if (chosen[e] > 0) {
            return "seen by " + chosen[e] + (chosen[e] == 1 ? " token" : " tokens");
        }
        if (standIns.containsKey(e)) {
            return "no calibration token reached it: calibrated on the " + chosen[standIns.get(e)] + " tokens of expert " + standIns.get(e)
                    + ", whose router row is nearest";
        }
        return llmcCompatible ? "no calibration token reached it" : "no calibration token reached it: rounded to nearest";
    }
}
