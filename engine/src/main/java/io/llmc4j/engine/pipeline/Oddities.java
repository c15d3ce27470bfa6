package io.llmc4j.engine.pipeline;

import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.kernel.StoredFloats;
import io.llmc4j.engine.tensor.Matrix;

/** Counts of what is odd in a weight. Looks at most numbers once: rows, columns and groups of an ordinary weight are known not to be odd by their first two. */
final class Oddities {

    private static final int TASK = 1 << 16;

    int zeroRows;
    int zeroColumns;
    int zeroGroups;
    int constantGroups;
    int oneSidedGroups;
    long subnormal;

    private Oddities() {
    }

    /**
     * @param group    values that share a range, a divisor of the columns; 0: groups are not looked at
     * @param oneSided whether groups without a zero and of one sign are counted
     */
    static Oddities of(Matrix w, int group, boolean oneSided) {
        Oddities all = new Oddities();
        Parallel.forRange(w.rows(), Math.max(1, TASK / Math.max(1, w.cols())), (from, to) -> {
            Oddities some = new Oddities();
            for (int r = from; r < to; r++) {
                some.row(w.data(), r * w.cols(), w.cols(), group, oneSided);
            }
            all.add(some);
        });
        Parallel.forRange(w.cols(), (from, to) -> {
            Oddities some = new Oddities();
            for (int c = from; c < to; c++) {
                some.zeroColumns += zeroColumn(w, c) ? 1 : 0;
            }
            all.add(some);
        });
        return all;
    }

    private synchronized void add(Oddities o) {
        zeroRows += o.zeroRows;
        zeroColumns += o.zeroColumns;
        zeroGroups += o.zeroGroups;
        constantGroups += o.constantGroups;
        oneSidedGroups += o.oneSidedGroups;
        subnormal += o.subnormal;
    }

    /** Groups of a row of zeros are not counted once more. */
    private void row(float[] w, int from, int cols, int group, boolean oneSided) {
        subnormal += StoredFloats.get().subnormals(cols, w, from);
        if (same(w, from, cols) == cols && (cols == 0 || w[from] == 0)) {
            zeroRows++;
            return;
        }
        for (int g = from; group > 0 && g < from + cols; g += group) {
            boolean same = same(w, g, group) == group;
            zeroGroups += same && w[g] == 0 ? 1 : 0;
            constantGroups += same && w[g] != 0 ? 1 : 0;
            oneSidedGroups += oneSided && oneSided(w, g, group) ? 1 : 0;
        }
    }

    /** How many values from the first on are equal to it. */
    private static int same(float[] w, int from, int n) {
        int i = 0;
        while (i < n && w[from + i] == w[from]) {
            i++;
        }
        return i;
    }

    private static boolean oneSided(float[] w, int from, int n) {
        boolean negative = w[from] < 0;
        for (int i = from; i < from + n; i++) {
            if (w[i] == 0 || w[i] < 0 != negative) {
                return false;
            }
        }
        return true;
    }

    private static boolean zeroColumn(Matrix w, int c) {
        for (int r = 0; r < w.rows(); r++) {
            if (w.data()[r * w.cols() + c] != 0) {
                return false;
            }
        }
        return true;
    }
}
