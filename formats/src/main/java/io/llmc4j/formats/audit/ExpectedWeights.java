package io.llmc4j.formats.audit;

import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.Norm;
import io.llmc4j.engine.model.Subset;
import io.llmc4j.engine.tensor.Matrix;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * What the layers of a block may hold: the original weight, and the original with the scales that methods move between neighbours. A norm's gain
 * n that became n' belongs to readers W n / n' (AWQ, SmoothQuant); a value or up projection whose rows were divided by s belongs to a next layer
 * whose columns were multiplied by s. What a norm tells is exact. The scale between two quantized layers is fitted: the rows of the previous layer tell
 * it best, since each has ranges of its own, and it counts only where the next layer's columns agree, so that a mistake in one is not taken for a scale.
 */
final class ExpectedWeights {

    /** What a norm tells is exact, so any improvement counts; a fitted scale has noise, which makes an untransformed layer look a little worse, never better. */
    private static final double BETTER = 0.985;

    private final Block original;
    private final Block quantized;
    private final Map<String, float[]> byNorm = new HashMap<>();
    private final Map<String, String> normOf = new HashMap<>();

    ExpectedWeights(Block original, Block quantized) {
        this.original = original;
        this.quantized = quantized;
        for (Subset s : original.subsets()) {
            if (s.previous().orElse(null) instanceof Subset.PreviousNorm p) {
                Optional<float[]> factors = factors(p.name());
                for (String layer : s.layers()) {
                    factors.ifPresent(f -> byNorm.put(layer, f));
                    normOf.put(layer, p.name());
                }
            }
        }
    }

    /**
     * @param partners   what scales were moved from or to: norms and layers; none: the original as it is
     * @param rowFactors what rows, and so the bias, were multiplied by; of length 0: nothing
     */
    record Expected(Matrix weight, List<String> partners, float[] rowFactors) {
        Expected(Matrix weight, List<String> partners) {
            this(weight, partners, new float[0]);
        }

        static Expected original(Matrix weight) {
            return new Expected(weight, List.of());
        }

        /** The bias that belongs to the weight. */
        float[] bias(float[] original) {
            if (rowFactors.length != original.length) {
                return original;
            }
            float[] out = original.clone();
            for (int i = 0; i < out.length; i++) {
                out[i] *= rowFactors[i];
            }
            return out;
        }

        /** "original", or "original, scaled with …". */
        String how() {
            return partners.isEmpty() ? "original" : "original, scaled with " + String.join(" and ", partners);
        }
    }

    /** Gains before over gains after; empty when they are the same or cannot be divided. */
    private Optional<float[]> factors(String norm) {
        Optional<Norm> before = find(original, norm);
        // The other model may call it otherwise: its place in the block is what counts.
        Optional<Norm> after = original.norms().entrySet().stream().filter(e -> e.getValue().name().equals(norm)).findFirst().flatMap(e -> quantized.norm(e.getKey()));
        if (before.isEmpty() || after.isEmpty() || before.get().weight().length != after.get().weight().length) {
            return Optional.empty();
        }
        float[] f = before.get().weight().clone();
        boolean same = true;
        for (int i = 0; i < f.length; i++) {
            float n = after.get().weight()[i];
            same &= n == f[i];
            f[i] = n == f[i] ? 1f : f[i] / n;
            if (!Float.isFinite(f[i])) {
                return Optional.empty();
            }
        }
        return same ? Optional.empty() : Optional.of(f);
    }

    static Optional<Norm> find(Block b, String name) {
        return b.norms().values().stream().filter(n -> n.name().equals(name)).findFirst();
    }

    private String normOf(String layer) {
        return normOf.getOrDefault(layer, "");
    }

    /** The best explanation of what is stored. */
    Expected of(Linear layer, Matrix stored) {
        Expected best = Expected.original(layer.weight());
        double least = MatrixError.relative(best.weight, stored);
        for (Expected e : candidates(layer, stored)) {
            double error = MatrixError.relative(e.weight, stored);
            if (error < BETTER * least || !(least == least)) {
                best = e;
                least = error;
            }
        }
        return best;
    }

    /**
     * Whether a layer looks as if scales had been moved between it and a neighbour that cannot be read: then nothing tells which, and it cannot be judged. Its
     * own rows (or columns) would be the original's times a factor each.
     */
    boolean movedWith(Linear layer, Matrix stored, Predicate<String> lost) {
        boolean down = original.subsets().stream().anyMatch(s -> s.previous().orElse(null) instanceof Subset.PreviousLinear p && p.name().equals(layer.name())
                && s.layers().stream().anyMatch(lost));
        boolean up = original.subsets().stream().anyMatch(s -> s.previous().orElse(null) instanceof Subset.PreviousLinear p && lost.test(p.name())
                && s.layers().contains(layer.name()));
        if (!down && !up) {
            return false;
        }
        Matrix w = layer.weight();
        float[] f = new float[up ? w.cols() : w.rows()];
        Matrix a = up ? w.transpose() : w;
        Matrix b = up ? stored.transpose() : stored;
        for (int i = 0; i < f.length; i++) {
            f[i] = (float) fit(a, b, i);
        }
        return MatrixError.relative(up ? columns(w, f) : rows(w, f), stored) < 0.5 * MatrixError.relative(w, stored);
    }

    private List<Expected> candidates(Linear layer, Matrix stored) {
        List<Expected> out = new ArrayList<>();
        float[] norm = byNorm.get(layer.name());
        List<Expected> bases = new ArrayList<>(List.of(Expected.original(layer.weight())));
        if (norm != null) {
            bases.add(new Expected(columns(layer.weight(), norm), List.of(normOf(layer.name()))));
            out.add(bases.getLast());
        }
        for (Subset s : original.subsets()) {
            if (!(s.previous().orElse(null) instanceof Subset.PreviousLinear p)) {
                continue;
            }
            if (s.layers().contains(layer.name())) {
                Matrix w = layer.weight();
                fromPrevious(p.name(), w.cols()).ifPresent(f -> out.add(new Expected(columns(w, f), List.of(p.name()))));
            }
            if (p.name().equals(layer.name())) {
                for (Expected base : bases) {
                    List<String> partners = new ArrayList<>(base.partners);
                    partners.addAll(s.layers());
                    agreed(base.weight, stored, s.layers()).ifPresent(f -> out.add(new Expected(rows(base.weight, f), partners, f)));
                }
            }
        }
        return out;
    }

    /** For the columns of the next layer: how much smaller each row of the previous layer became. */
    private Optional<float[]> fromPrevious(String name, int cols) {
        Linear before = original.linear(name);
        Optional<Linear> partner = partner(before);
        if (partner.isEmpty()) {
            return Optional.empty();
        }
        Linear after = partner.get();
        float[] norm = byNorm.get(name);
        Matrix r = norm == null ? before.weight() : columns(before.weight(), norm);
        Matrix q = after.weight();
        float[] f = new float[r.rows()];
        for (int i = 0; i < f.length; i++) {
            double rr = 0;
            double rq = 0;
            for (int c = 0; c < r.cols(); c++) {
                rr += (double) r.get(i, c) * r.get(i, c);
                rq += (double) r.get(i, c) * q.get(i, c);
            }
            f[i] = (float) (rr / rq);
        }
        return spread(f, cols);
    }

    /** Repeats the factors of a value head for every query head that it serves. */
    private Optional<float[]> spread(float[] f, int cols) {
        for (float v : f) {
            if (!Float.isFinite(v) || v <= 0) {
                return Optional.empty();
            }
        }
        if (f.length == cols) {
            return Optional.of(f);
        }
        int head = original.spec().attention().valueDim();
        int times = cols / Math.max(1, f.length);
        if (head <= 0 || f.length % head != 0 || times * f.length != cols) {
            return Optional.empty();
        }
        float[] out = new float[cols];
        for (int c = 0; c < cols; c++) {
            out[c] = f[c / head / times * head + c % head];
        }
        return Optional.of(out);
    }

    /**
     * For the rows of the previous layer: what each was multiplied by. A row whose factor the next layer's column contradicts by more than
     * its rounding can gets the column's; empty when the next layers are not explained better with the factors than without.
     */
    private Optional<float[]> agreed(Matrix reference, Matrix stored, List<String> next) {
        int rows = reference.rows();
        Columns columns = new Columns(rows);
        for (String name : next) {
            Linear layer = original.linear(name);
            Optional<Linear> partner = partner(layer);
            if (partner.isEmpty() || !columns.add(layer.weight(), partner.get().weight(), Math.max(1, original.spec().attention().valueDim()))) {
                return Optional.empty();
            }
        }
        double noise = columns.noise();
        float[] f = new float[rows];
        double with = 0;
        double without = 0;
        for (int i = 0; i < rows; i++) {
            double own = fit(reference, stored, i);
            double column = columns.rq[i] / columns.rr[i];
            double apart = columns.error(i, 1 / own) - columns.error(i, column);
            // Five standard deviations, and the bias of a column that is so small that rounding swallows it.
            boolean contradicted = Math.abs(own * column - 1) > 0.1 && apart > (25 + columns.count[i]) * noise;
            f[i] = (float) (contradicted ? 1 / column : own);
            if (!Float.isFinite(f[i]) || f[i] <= 0) {
                return Optional.empty();
            }
            with += columns.error(i, 1 / (double) f[i]);
            without += columns.error(i, 1);
        }
        return with < BETTER * BETTER * without ? Optional.of(f) : Optional.empty();
    }

    private static double fit(Matrix reference, Matrix stored, int row) {
        double rr = 0;
        double rq = 0;
        for (int c = 0; c < reference.cols(); c++) {
            rr += (double) reference.get(row, c) * reference.get(row, c);
            rq += (double) reference.get(row, c) * stored.get(row, c);
        }
        return rq / rr;
    }

    /** Sums over the columns of the next layers that each row of the previous one feeds: of reference squared, reference times stored, stored squared. */
    private static final class Columns {
        private final double[] rr;
        private final double[] rq;
        private final double[] qq;
        private final long[] count;

        Columns(int rows) {
            rr = new double[rows];
            rq = new double[rows];
            qq = new double[rows];
            count = new long[rows];
        }

        /** False when the columns cannot be mapped to rows. */
        boolean add(Matrix r, Matrix q, int head) {
            int rows = rr.length;
            int times = r.cols() / rows;
            if (times == 0 || times * rows != r.cols() || times > 1 && rows % head != 0) {
                return false;
            }
            for (int o = 0; o < r.rows(); o++) {
                for (int c = 0; c < r.cols(); c++) {
                    int at = times == 1 ? c : c / head / times * head + c % head;
                    double x = r.get(o, c);
                    double y = q.get(o, c);
                    rr[at] += x * x;
                    rq[at] += x * y;
                    qq[at] += y * y;
                    count[at]++;
                }
            }
            return true;
        }

        /** Mean squared error of an element when every column has the factor that fits it best. */
        double noise() {
            double error = 0;
            double n = 0;
            for (int i = 0; i < rr.length; i++) {
                error += rr[i] == 0 ? 0 : error(i, rq[i] / rr[i]);
                n += count[i];
            }
            return n == 0 ? 0 : error / n;
        }

        /** ||stored - factor * reference||² of the columns that belong to a row. */
        double error(int row, double factor) {
            return Math.max(0, qq[row] - 2 * factor * rq[row] + factor * factor * rr[row]);
        }
    }

    /** The quantized model's layer, when it has the original's shape. */
    private Optional<Linear> partner(Linear layer) {
        return QuantizedModel.counterpart(quantized, layer).filter(l -> l.out() == layer.out() && l.in() == layer.in());
    }

    static Matrix columns(Matrix w, float[] f) {
        Matrix out = new Matrix(w.rows(), w.cols());
        for (int r = 0; r < w.rows(); r++) {
            for (int c = 0; c < w.cols(); c++) {
                out.data()[r * w.cols() + c] = w.data()[r * w.cols() + c] * f[c];
            }
        }
        return out;
    }

    private static Matrix rows(Matrix w, float[] f) {
        Matrix out = new Matrix(w.rows(), w.cols());
        for (int r = 0; r < w.rows(); r++) {
            for (int c = 0; c < w.cols(); c++) {
                out.data()[r * w.cols() + c] = w.data()[r * w.cols() + c] * f[r];
            }
        }
        return out;
    }
}
