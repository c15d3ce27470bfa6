package io.llmc4j.engine.method;

import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.Subset;
import io.llmc4j.engine.tensor.Matrix;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Magnitude pruning (Han et al., arXiv 1506.02626; spec 4.1): the smallest weights of each layer become zero; with a pattern n:m, those that are
 * not among the n largest of each m consecutive ones of a row.
 *
 * <p>LLMC zeroes the last layer of each subset only (ODD-76): {@code last_layer_only}, the default under {@code compat: llmc}.
 */
public final class Magnitude implements Method {

    @Override
    public String name() {
        return "Magnitude";
    }

    @Override
    public MethodInfo info() {
        return new MethodInfo("pruning: the smallest weights of each layer become zero", "arXiv 1506.02626", MethodInfo.Data.NONE);
    }

    @Override
    public List<Stage> recipe(MethodOptions options) {
        return List.of(new Smallest(Sparsity.of(options), options.flag("last_layer_only", options.llmcCompatible())));
    }

    private record Smallest(Sparsity sparsity, boolean lastOnly) implements Keep {

        @Override
        public String name() {
            return "magnitude pruning";
        }

        @Override
        public void apply(BlockWork work) {
            Set<String> spared = new HashSet<>();
            if (lastOnly) {
                for (Subset s : work.block().subsets()) {
                    spared.addAll(s.layers().subList(0, s.layers().size() - 1));
                }
            }
            for (Linear layer : work.block().linears()) {
                if (!layer.role().isRouter() && !spared.contains(layer.name())) {
                    prune(layer.weight(), sparsity);
                    work.weightChanged(layer);
                    work.note(layer, sparsity.describe(layer.weight()));
                }
            }
        }
    }

    /** Zeroes weights in place: all with |w| up to the (size · share)-th smallest, ties included, or by the pattern. */
    public static void prune(Matrix w, Sparsity sparsity) {
        if (sparsity.pattern()) {
            float[] one = new float[w.cols()];
            Arrays.fill(one, 1f);
            sparsity.pruneRows(w, one);
            return;
        }
        float[] v = w.data();
        float[] sorted = new float[v.length];
        for (int i = 0; i < v.length; i++) {
            sorted[i] = Math.abs(v[i]);
        }
        Arrays.sort(sorted);
        float threshold = sorted[(int) (v.length * sparsity.share())];
        for (int i = 0; i < v.length; i++) {
            if (Math.abs(v[i]) <= threshold) {
                v[i] = 0f;
            }
        }
    }
}
