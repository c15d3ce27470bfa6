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

/**
 * What the layers of a block may hold: the original weight, and the original with the scales that methods move between neighbours. A norm's gain
 * n that became n' belongs to readers W n / n' (AWQ, SmoothQuant); a value or up projection whose rows were divided by s belongs to a next layer
 * whose columns were multiplied by s. What a norm tells is exact; the scale between two quantized layers is fitted from the partner, never from the layer itself.
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

    /** @param partners what scales were moved from or to: norms and layers; none: the original as it is */
    record Expected(Matrix weight, List<String> partners) {
        static Expected original(Matrix weight) {
            return new Expected(weight, List.of());
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
        for (Expected e : candidates(layer)) {
            double error = MatrixError.relative(e.weight, stored);
            if (error < BETTER * least || !(least == least)) {
                best = e;
                least = error;
            }
        }
        return best;
    }

    private List<Expected> candidates(Linear layer) {
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
                Optional<float[]> f = fromNext(s.layers(), layer.out());
                for (Expected base : f.isPresent() ? bases : List.<Expected>of()) {
                    List<String> partners = new ArrayList<>(base.partners);
                    partners.addAll(s.layers());
                    out.add(new Expected(rows(base.weight, f.get()), partners));
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

    /** For the rows of the previous layer: one over how much larger each column of the next became. */
    private Optional<float[]> fromNext(List<String> names, int rows) {
        double[] rr = new double[rows];
        double[] rq = new double[rows];
        int head = Math.max(1, original.spec().attention().valueDim());
        for (String name : names) {
            Matrix r = original.linear(name).weight();
            Optional<Linear> partner = partner(original.linear(name));
            if (partner.isEmpty()) {
                return Optional.empty();
            }
            Matrix q = partner.get().weight();
            int times = r.cols() / rows;
            if (times == 0 || times * rows != r.cols() || times > 1 && rows % head != 0) {
                return Optional.empty();
            }
            for (int o = 0; o < r.rows(); o++) {
                for (int c = 0; c < r.cols(); c++) {
                    int at = times == 1 ? c : c / head / times * head + c % head;
                    rr[at] += (double) r.get(o, c) * r.get(o, c);
                    rq[at] += (double) r.get(o, c) * q.get(o, c);
                }
            }
        }
        float[] f = new float[rows];
        for (int i = 0; i < rows; i++) {
            f[i] = (float) (rr[i] / rq[i]);
            if (!Float.isFinite(f[i]) || f[i] <= 0) {
                return Optional.empty();
            }
        }
        return Optional.of(f);
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
