package io.llmc4j.engine.method;

import io.llmc4j.engine.autodiff.ElementOps;
import io.llmc4j.engine.autodiff.LinearOps;
import io.llmc4j.engine.autodiff.Tape;
import io.llmc4j.engine.autodiff.Var;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.Norm;
import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.model.Subset;
import io.llmc4j.engine.model.TapedBlock;
import io.llmc4j.engine.tensor.Matrix;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * OmniQuant's learnable equivalent transformation of one block: a scale (and shift) for each subset that has a foldable predecessor, and one between
 * queries and keys. On a tape the transformed parameters are rebuilt in every pass; {@link #fold} makes them real.
 */
final class EquivalentScales {

    /** LLMC keeps scales this far from zero. */
    private static final float SMALLEST = 1e-2f;

    /** Scale [1, n] and shift [1, n] (absent: no elements) of one subset. */
    private record Pair(Subset subset, Var scale, Var shift) {
        boolean shifted() {
            return shift.cols() > 0;
        }
    }

    private final BlockWork work;
    private final Block block;
    private final List<Pair> pairs = new ArrayList<>();
    private final Map<String, Pair> byLayer = new HashMap<>();
    private final Map<String, Pair> byPrevious = new HashMap<>();
    private final Optional<Var> queryKey;

    /**
     * @param scales  first scale of each subset, by the name of its key layer; a subset whose key layer has none is left alone
     * @param shifts  first shifts likewise; empty: none
     */
    EquivalentScales(BlockWork work, Map<String, float[]> scales, Map<String, float[]> shifts) {
        this.work = work;
        this.block = work.block();
        for (Subset s : block.subsets()) {
            String key = keyLayer(s);
            if (s.previous().isEmpty() || !scales.containsKey(key)) {
                continue;
            }
            Var scale = Var.parameter(row(scales.get(key)));
            Var shift = shifts.containsKey(key) ? Var.parameter(row(shifts.get(key))) : TapedBlock.row(new float[0]);
            Pair p = new Pair(s, scale, shift);
            pairs.add(p);
            s.layers().forEach(l -> byLayer.put(l, p));
            byPrevious.put(s.previous().get().name(), p);
        }
        Optional<Linear> q = block.linear(Role.Q);
        Optional<Linear> k = block.linear(Role.K);
        boolean same = q.isPresent() && k.isPresent() && q.get().out() == k.get().out() && block.norm(io.llmc4j.engine.model.NormSlot.Q).isEmpty();
        queryKey = same ? Optional.of(Var.parameter(ones(q.get().out()))) : Optional.empty();
    }

    /** The layer whose statistics start a subset's scale: queries, the attention output, the up projection (LLMC's pairs). */
    static String keyLayer(Subset s) {
        return s.layers().stream().filter(n -> n.contains("up_proj")).findFirst().orElse(s.layers().getFirst());
    }

    List<Var> parameters() {
        List<Var> all = new ArrayList<>();
        for (Pair p : pairs) {
            all.add(p.scale);
            if (p.shifted()) {
                all.add(p.shift);
            }
        }
        queryKey.ifPresent(all::add);
        return all;
    }

    /** Scales too near to zero move away from it; once before every pass. */
    void truncate() {
        pairs.forEach(p -> ElementOps.truncateInPlace(p.scale, SMALLEST));
        queryKey.ifPresent(q -> ElementOps.truncateInPlace(q, SMALLEST));
    }

    Var weight(Tape tape, Linear layer) {
        Var w = Var.input(layer.weight());
        Pair in = byLayer.get(layer.name());
        if (in != null) {
            w = ElementOps.multiply(tape, w, in.scale);
        }
        Pair out = byPrevious.get(layer.name());
        if (out != null) {
            w = ElementOps.divide(tape, w, column(tape, out.scale));
        }
        if (queryKey.isPresent() && layer.role() == Role.Q) {
            w = ElementOps.divide(tape, w, column(tape, queryKey.get()));
        } else if (queryKey.isPresent() && layer.role() == Role.K) {
            w = ElementOps.multiply(tape, w, column(tape, queryKey.get()));
        }
        return w;
    }

    Var bias(Tape tape, Linear layer) {
        Var b = TapedBlock.row(layer.bias());
        Pair in = byLayer.get(layer.name());
        if (in != null && in.shifted()) {
            Var moved = LinearOps.linear(tape, in.shift, Var.input(layer.weight()));
            b = b.cols() == 0 ? moved : ElementOps.add(tape, b, moved);
        }
        Pair out = byPrevious.get(layer.name());
        if (out != null && out.shifted()) {
            // LLMC scales the value bias only where it also shifts (ODD-47); folding scales it always.
            b = ElementOps.divide(tape, ElementOps.subtract(tape, b, out.shift), out.scale);
        }
        if (b.cols() > 0 && queryKey.isPresent() && layer.role() == Role.Q) {
            b = ElementOps.divide(tape, b, queryKey.get());
        } else if (b.cols() > 0 && queryKey.isPresent() && layer.role() == Role.K) {
            b = ElementOps.multiply(tape, b, queryKey.get());
        }
        return b;
    }

    Var normWeight(Tape tape, Norm norm) {
        Var w = TapedBlock.row(norm.weight());
        Pair p = byPrevious.get(norm.name());
        return p == null ? w : ElementOps.divide(tape, w, p.scale);
    }

    Var normBias(Tape tape, Norm norm) {
        Var b = TapedBlock.row(norm.bias());
        Pair p = byPrevious.get(norm.name());
        if (p == null || b.cols() == 0 && !p.shifted()) {
            return b;
        }
        if (p.shifted()) {
            b = b.cols() == 0 ? ElementOps.scale(tape, p.shift, -1f) : ElementOps.subtract(tape, b, p.shift);
        }
        return ElementOps.divide(tape, b, p.scale);
    }

    /** Folds what was learnt into the block. */
    void fold() {
        truncate();
        for (Pair p : pairs) {
            if (p.shifted()) {
                work.foldShift(p.subset, p.shift.value().data());
            }
            work.foldScale(p.subset, p.scale.value().data());
        }
        if (queryKey.isPresent()) {
            float[] s = queryKey.get().value().data();
            scaleRows(block.linear(Role.Q).orElseThrow(), s, true);
            scaleRows(block.linear(Role.K).orElseThrow(), s, false);
        }
    }

    private void scaleRows(Linear layer, float[] s, boolean divide) {
        Matrix w = layer.weight();
        for (int r = 0; r < w.rows(); r++) {
            for (int c = 0; c < w.cols(); c++) {
                w.data()[r * w.cols() + c] = divide ? w.data()[r * w.cols() + c] / s[r] : w.data()[r * w.cols() + c] * s[r];
            }
            if (layer.bias().length > 0) {
                layer.bias()[r] = divide ? layer.bias()[r] / s[r] : layer.bias()[r] * s[r];
            }
        }
        layer.weightChanged();
    }

    private static Var column(Tape tape, Var row) {
        return ElementOps.reshape(tape, row, row.cols(), 1);
    }

    private static Matrix row(float[] v) {
        return new Matrix(1, v.length, v.clone());
    }

    private static Matrix ones(int n) {
        Matrix m = new Matrix(1, n);
        java.util.Arrays.fill(m.data(), 1f);
        return m;
    }

    /**
     * First scales of a block's subsets (spec 3.8): max(amax^alpha / half(w)^(1 - alpha), 1e-5) with the signed column maxima of the key layer's weight,
     * rounded to half precision as LLMC has them (ODD-46).
     *
     * @param maxima largest |x| of each input feature, by full layer name
     * @param between whether a pair between two linear layers is trained too
     */
    static Map<String, float[]> first(BlockWork work, Map<String, float[]> maxima, double alpha, boolean upToDown) {
        Map<String, float[]> out = new LinkedHashMap<>();
        for (Subset s : work.block().subsets()) {
            if (s.previous().isEmpty() || !trained(work.block(), s, upToDown)) {
                continue;
            }
            String key = keyLayer(s);
            Matrix w = work.block().linear(key).weight();
            float[] a = maxima.get(work.fullName(work.block().linear(key)));
            float[] scale = new float[w.cols()];
            for (int j = 0; j < scale.length; j++) {
                float m = Float.NEGATIVE_INFINITY;
                for (int r = 0; r < w.rows(); r++) {
                    m = Math.max(m, w.get(r, j));
                }
                float half = Float.float16ToFloat(Float.floatToFloat16(Math.max(m, 1e-5f)));
                double top = StrictMath.pow(Math.max(a[j], 1e-5f), alpha);
                scale[j] = Math.max((float) ((float) top / (float) StrictMath.pow(half, 1 - alpha)), 1e-5f);
            }
            out.put(key, scale);
        }
        return out;
    }

    /** Norm-fed subsets, value to output where the widths agree, up to down where asked for. */
    static boolean trained(Block block, Subset s, boolean upToDown) {
        return switch (s.previous().orElseThrow()) {
            case Subset.PreviousNorm n -> true;
            case Subset.PreviousLinear l -> {
                boolean widths = block.linear(l.name()).out() == block.linear(s.layers().getFirst()).in();
                yield widths && s.transform() && (!s.isMlp() || upToDown) && (block.linear(s.layers().getFirst()).role() == Role.O || upToDown);
            }
        };
    }
}
