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
 * Shifts that methods move between neighbours (Outlier Suppression+, equations 2 and 3; OmniQuant's equation 5): what feeds layers loses z, and their biases
 * gain W z. A norm's bias b that became b' tells z = b - b' g / g'; a value projection's bias tells the z of the attention output, whose attention weights
 * sum to one. It counts only where the biases of every reader agree, so that a wrong bias is not taken for a shift.
 */
final class Shifts {

    /** Largest relative difference of a bias that is what the shift makes of it; stored biases may have eight bits. */
    private static final double AGREES = 0.02;

    private final Block original;
    private final Block quantized;
    private final Map<String, ExpectedWeights.Expected> expected;
    private final int valueDim;
    private final Map<String, float[]> biases = new HashMap<>();
    private final Map<String, float[]> normBiases = new HashMap<>();
    private final List<String> found = new ArrayList<>();

    /**
     * @param expected what each layer of the original was found to have become, by name
     * @param valueDim width of a value head
     */
    Shifts(Block original, Block quantized, Map<String, ExpectedWeights.Expected> expected, int valueDim) {
        this.original = original;
        this.quantized = quantized;
        this.expected = expected;
        this.valueDim = valueDim;
        for (Linear l : original.linears()) {
            if (expected.containsKey(l.name())) {
                biases.put(l.name(), expected.get(l.name()).bias(l.bias()));
            }
        }
        for (Subset s : original.subsets()) {
            if (s.previous().orElse(null) instanceof Subset.PreviousNorm p) {
                fromNorm(p.name(), s.layers());
            }
        }
        for (Subset s : original.subsets()) {
            if (s.previous().orElse(null) instanceof Subset.PreviousLinear p) {
                fromLayer(p.name(), s.layers());
            }
        }
    }

    /** The bias that belongs to each layer, by name. */
    Map<String, float[]> biases() {
        return biases;
    }

    /** The bias that belongs to a norm whose shift was recognized, by name. */
    Map<String, float[]> normBiases() {
        return normBiases;
    }

    /** What shifts were undone: norms and layers. */
    List<String> found() {
        return found;
    }

    private void fromNorm(String name, List<String> readers) {
        Optional<Norm> before = ExpectedWeights.find(original, name);
        Optional<Norm> after = original.norms().entrySet().stream().filter(e -> e.getValue().name().equals(name)).findFirst().flatMap(e -> quantized.norm(e.getKey()));
        if (before.isEmpty() || after.isEmpty() || before.get().weight().length != after.get().weight().length) {
            return;
        }
        float[] g = before.get().weight();
        float[] h = after.get().weight();
        float[] b = filled(before.get().bias(), g.length);
        float[] c = filled(after.get().bias(), g.length);
        float[] z = new float[g.length];
        float[] unshifted = new float[g.length];
        for (int i = 0; i < z.length; i++) {
            float f = g[i] == h[i] ? 1f : g[i] / h[i];
            z[i] = b[i] - c[i] * f;
            unshifted[i] = b[i] / f;
        }
        if (!differ(unshifted, c)) {
            return;
        }
        if (agree(readers, z)) {
            found.add(name);
            normBiases.put(name, c);
        }
    }

    private void fromLayer(String name, List<String> readers) {
        ExpectedWeights.Expected e = expected.get(name);
        Optional<Linear> after = QuantizedModel.counterpart(quantized, original.linear(name));
        if (e == null || after.isEmpty()) {
            return;
        }
        int rows = original.linear(name).out();
        float[] own = filled(biases.get(name), rows);
        float[] stored = filled(after.get().bias(), rows);
        if (!differ(own, stored)) {
            return;
        }
        float[] z = new float[rows];
        for (int i = 0; i < rows; i++) {
            z[i] = (own[i] - stored[i]) / (e.rowFactors().length == rows ? e.rowFactors()[i] : 1f);
        }
        int width = original.linear(readers.getFirst()).in();
        Optional<float[]> all = spread(z, width);
        if (all.isPresent() && agree(readers, all.get())) {
            found.add(name);
            biases.put(name, stored);
        }
    }

    /** Whether the biases of all readers gained W z; then that is what they should be. */
    private boolean agree(List<String> readers, float[] z) {
        Map<String, float[]> shifted = new HashMap<>();
        for (String r : readers) {
            Linear l = original.linear(r);
            Optional<Linear> other = QuantizedModel.counterpart(quantized, l);
            if (!expected.containsKey(r) || other.isEmpty() || l.in() != z.length) {
                return false;
            }
            float[] bias = expected.get(r).bias(plus(filled(l.bias(), l.out()), l.weight(), z));
            if (differ(bias, filled(other.get().bias(), l.out()))) {
                return false;
            }
            shifted.put(r, bias);
        }
        biases.putAll(shifted);
        return true;
    }

    private static float[] plus(float[] bias, Matrix w, float[] z) {
        float[] out = bias.clone();
        for (int r = 0; r < w.rows(); r++) {
            double sum = 0;
            for (int c = 0; c < z.length; c++) {
                sum += (double) w.get(r, c) * z[c];
            }
            out[r] += (float) sum;
        }
        return out;
    }

    private static float[] filled(float[] v, int n) {
        return v.length == n ? v : new float[n];
    }

    /** A value head's shift for every query head that it serves. */
    private Optional<float[]> spread(float[] z, int cols) {
        if (z.length == cols) {
            return Optional.of(z);
        }
        int times = cols / z.length;
        if (valueDim <= 0 || z.length % valueDim != 0 || times * z.length != cols) {
            return Optional.empty();
        }
        float[] out = new float[cols];
        for (int c = 0; c < cols; c++) {
            out[c] = z[c / valueDim / times * valueDim + c % valueDim];
        }
        return Optional.of(out);
    }

    private static boolean differ(float[] a, float[] b) {
        double error = 0;
        double signal = 0;
        for (int i = 0; i < a.length; i++) {
            double d = (double) b[i] - a[i];
            error += d * d;
            signal += (double) a[i] * a[i];
        }
        return !(Math.sqrt(error) <= AGREES * Math.sqrt(signal));
    }
}
