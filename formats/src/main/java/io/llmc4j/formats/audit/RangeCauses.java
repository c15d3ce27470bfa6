package io.llmc4j.formats.audit;

import io.llmc4j.engine.tensor.Matrix;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Single ranges that are off in a way that has a name: their scale doubled, halved, squared or inverted, their zero point moved by one. Each guess is
 * tested by recomputation, and counts only when it takes most of the error away.
 */
final class RangeCauses {

    /** How much worse than plain rounding, squared, a range must be before it is looked at. */
    private static final double SUSPICIOUS = 6;
    /** A guess must divide the squared error by this … */
    private static final double IMPROVEMENT = 5;
    /** … and end within this of plain rounding. */
    private static final double EXPLAINED = 3;
    /** Values of a range below which chance may play a part. */
    private static final int SMALLEST_RANGE = 8;

    private final CodeGrid grid;
    private final Matrix reference;

    private interface Guess {
        float decode(float value, float zero, float scale);
    }

    private static final Map<String, Guess> GUESSES = guesses();

    private static Map<String, Guess> guesses() {
        Map<String, Guess> g = new LinkedHashMap<>();
        g.put("the scale is doubled", (v, z, s) -> (v - z) * (s / 2));
        g.put("the scale is halved", (v, z, s) -> (v - z) * (s * 2));
        g.put("the scale is taken twice (squared)", (v, z, s) -> (v - z) * (float) Math.sqrt(Math.abs(s)));
        g.put("the scale is its inverse", (v, z, s) -> s == 0 ? 0 : (v - z) / s);
        g.put("the scale has the wrong sign", (v, z, s) -> (v - z) * -s);
        g.put("the zero point is one too large", (v, z, s) -> (v - (z - 1)) * s);
        g.put("the zero point is one too small", (v, z, s) -> (v - (z + 1)) * s);
        return g;
    }

    RangeCauses(CodeGrid grid, Matrix reference) {
        this.grid = grid;
        this.reference = reference;
    }

    /** @param ranges their places, ascending */
    record Cause(String what, List<Integer> ranges) { }

    /** Causes of ranges that are off, and under "" those that are far off without one. */
    List<Cause> find(RangeErrors errors) {
        double[] expected = errors.expected();
        Map<Integer, double[]> suspects = new LinkedHashMap<>();
        for (int r = 0; r < expected.length; r++) {
            if (errors.count[r] >= SMALLEST_RANGE && !(errors.error[r] <= SUSPICIOUS * expected[r]) && errors.error[r] > 1e-12 * errors.signal[r]) {
                suspects.put(r, new double[GUESSES.size()]);
            }
        }
        if (suspects.isEmpty()) {
            return List.of();
        }
        recompute(suspects);
        Map<String, List<Integer>> found = new LinkedHashMap<>();
        suspects.forEach((r, sums) -> {
            int best = 0;
            for (int k = 1; k < sums.length; k++) {
                best = sums[k] < sums[best] ? k : best;
            }
            boolean explained = sums[best] * IMPROVEMENT < errors.error[r] && sums[best] <= EXPLAINED * expected[r] + 1e-12 * errors.signal[r];
            if (explained) {
                found.computeIfAbsent(List.copyOf(GUESSES.keySet()).get(best), k -> new ArrayList<>()).add(r);
            } else if (!(errors.error[r] <= 400 * expected[r]) && errors.error[r] > errors.signal[r]) {
                found.computeIfAbsent("", k -> new ArrayList<>()).add(r);
            }
        });
        return found.entrySet().stream().map(e -> new Cause(e.getKey(), e.getValue())).toList();
    }

    private void recompute(Map<Integer, double[]> suspects) {
        List<Guess> guesses = List.copyOf(GUESSES.values());
        for (int r = 0; r < grid.rows(); r++) {
            for (int c = 0; c < grid.cols(); c++) {
                int at = grid.range(r, c);
                double[] sums = suspects.get(at);
                if (sums == null) {
                    continue;
                }
                float w = reference.data()[r * grid.cols() + c];
                float v = grid.value(r, c);
                float z = grid.zero(at);
                float s = grid.scale(at);
                for (int k = 0; k < sums.length; k++) {
                    double d = guesses.get(k).decode(v, z, s) - w;
                    sums[k] += d * d;
                }
            }
        }
    }

    /** "the scale is doubled in 1 of 512 ranges: row 3, group 0". */
    String sentence(Cause cause) {
        List<String> places = cause.ranges.stream().limit(4).map(grid::place).toList();
        String where = String.join("; ", places) + (cause.ranges.size() > 4 ? "; …" : "");
        String what = cause.what.isEmpty() ? "the weights have nothing to do with the original" : cause.what;
        return what + " in " + cause.ranges.size() + " of " + grid.ranges() + (grid.ranges() == 1 ? " range: " : " ranges: ") + where;
    }
}
