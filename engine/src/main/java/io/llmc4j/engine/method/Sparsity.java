package io.llmc4j.engine.method;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.tensor.Matrix;
import java.util.Arrays;

/**
 * How much of a weight is pruned.
 *
 * @param share of a row or of a layer, at least 0 and below 1; of no meaning with a pattern
 * @param kept  n of a pattern n:m, 0 without one
 * @param of    m of a pattern n:m, 0 without one
 */
public record Sparsity(double share, int kept, int of) {

    /** Reads {@code pattern} ("2:4", "4:8") or {@code sparsity} (0.5 by default). */
    static Sparsity of(MethodOptions options) {
        String pattern = options.text("pattern", "");
        if (pattern.isEmpty()) {
            return of(options.number("sparsity", 0.5));
        }
        if (!pattern.matches("[1-9][0-9]?:[1-9][0-9]?")) {
            throw BadInput.of(BadInput.Common.CONFIG, "pattern is '%s'; it has to be n:m, for example 2:4", pattern);
        }
        String[] parts = pattern.split(":");
        return of(Integer.parseInt(parts[0]), Integer.parseInt(parts[1]));
    }

    /** Throws BadInput (CONFIG) unless 0 <= share < 1. */
    public static Sparsity of(double share) {
        if (!(share >= 0 && share < 1)) {
            throw BadInput.of(BadInput.Common.CONFIG, "sparsity is %s; it has to be at least 0 and below 1", share);
        }
        return new Sparsity(share, 0, 0);
    }

    /** {@code kept} of every {@code of} consecutive weights of a row stay. Throws BadInput (CONFIG) unless there are fewer kept than there are. */
    public static Sparsity of(int kept, int of) {
        if (kept >= of || kept < 1) {
            throw BadInput.of(BadInput.Common.CONFIG, "pattern %d:%d keeps %d of %d weights; the first number has to be the smaller one", kept, of, kept, of);
        }
        return new Sparsity(0, kept, of);
    }

    public boolean pattern() {
        return of != 0;
    }

    /**
     * Zeroes, row by row, the weights with the smallest |w| · importance of their column (equal ones: the earlier first).
     *
     * @param w          [out, in], changed in place
     * @param importance [in], not negative
     */
    public void pruneRows(Matrix w, float[] importance) {
        int width = pattern() ? of : w.cols();
        if (w.cols() % width != 0) {
            throw BadInput.of(BadInput.Common.CONFIG, "pattern %d:%d does not divide rows of %d weights", kept, of, w.cols());
        }
        int zeros = pattern() ? of - kept : (int) (w.cols() * share);
        Parallel.forRange(w.rows(), (from, to) -> {
            long[] keys = new long[width];
            for (int r = from; r < to; r++) {
                for (int start = 0; start < w.cols(); start += width) {
                    prune(w.data(), r * w.cols() + start, start, importance, keys, zeros);
                }
            }
        });
    }

    /** Sorts (metric, index) pairs packed into longs: metrics are not negative, so their bits order as they do. */
    private static void prune(float[] w, int at, int column, float[] importance, long[] keys, int zeros) {
        for (int i = 0; i < keys.length; i++) {
            float metric = Math.abs(w[at + i]) * importance[column + i];
            keys[i] = (long) Float.floatToIntBits(metric) << 32 | i;
        }
        Arrays.sort(keys);
        for (int i = 0; i < zeros; i++) {
            w[at + (int) keys[i]] = 0f;
        }
    }

    /** "50.0 % zeros". */
    String describe(Matrix w) {
        long zeros = 0;
        for (float v : w.data()) {
            zeros += v == 0f ? 1 : 0;
        }
        return String.format(java.util.Locale.ROOT, "%.1f %% zeros", 100.0 * zeros / Math.max(1, w.data().length));
    }
}
