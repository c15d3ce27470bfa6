package io.llmc4j.formats.hf;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.model.Norm;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * A norm and the tensors that it is stored in.
 *
 * @param name     the norm's name, relative as the tensors are
 * @param weights  weight tensors, joined in order (StableLM stores one a head); empty: a norm without parameters (weight 1)
 * @param bias     its tensor, or "" when this kind has none
 * @param minusOne stored is weight - 1 (Gemma)
 */
public record NormLayout(String name, Norm.Kind kind, float eps, int features, List<String> weights, String bias, boolean minusOne) {

    public NormLayout {
        weights = List.copyOf(weights);
    }

    /** @param read tensor name to values; an absent bias is of length 0 */
    public Norm load(Function<String, float[]> read) {
        float[] w = new float[features];
        int at = 0;
        for (String t : weights) {
            float[] part = read.apply(t);
            System.arraycopy(part, 0, w, at, part.length);
            at += part.length;
        }
        if (weights.isEmpty()) {
            Arrays.fill(w, 1f);
        }
        if (minusOne) {
            for (int i = 0; i < features; i++) {
                w[i] += 1f;
            }
        }
        return new Norm(name, kind, eps, w, bias.isEmpty() ? new float[0] : read.apply(bias));
    }

    /** What to write: tensor name to values. Throws BadInput (FORMAT) when the norm has got a bias that the checkpoint has no place for. */
    public Map<String, float[]> store(Norm norm) {
        Map<String, float[]> out = new LinkedHashMap<>();
        int each = weights.isEmpty() ? 0 : features / weights.size();
        for (int i = 0; i < weights.size(); i++) {
            float[] w = Arrays.copyOfRange(norm.weight(), i * each, (i + 1) * each);
            if (minusOne) {
                for (int j = 0; j < w.length; j++) {
                    w[j] -= 1f;
                }
            }
            out.put(weights.get(i), w);
        }
        if (!bias.isEmpty() && norm.bias().length > 0) {
            out.put(bias, norm.bias());
        }
        if (bias.isEmpty() && hasValue(norm.bias())) {
            throw BadInput.of(BadInput.Common.FORMAT, "%s has got a bias (a shift was folded into it), and checkpoints of this family have no tensor for it; "
                    + "use a method without shifts", name);
        }
        return out;
    }

    private static boolean hasValue(float[] bias) {
        for (float b : bias) {
            if (b != 0) {
                return true;
            }
        }
        return false;
    }
}
