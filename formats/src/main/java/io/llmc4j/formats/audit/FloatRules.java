package io.llmc4j.formats.audit;

import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.ModelEnds;
import io.llmc4j.engine.model.Norm;
import io.llmc4j.engine.safetensors.FiniteCheck;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.formats.hf.TensorFate;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** What is stored as floats: everything is finite, and embedding, head, norms and biases are the original's. */
final class FloatRules {

    /** Largest relative difference of a tensor that was only converted (bfloat16 keeps eight bits). */
    private static final double CONVERTED = 0.004;
    private static final int PANEL = 4096;
    private static final float SMALLEST_NORMAL_F16 = 0x1p-14f;

    private FloatRules() {
    }

    /** NaN and infinity in any tensor, and scales that a half float holds with few bits. */
    static List<Finding> everyTensor(HfModel m) {
        List<Finding> out = new ArrayList<>();
        for (TensorFate fate : m.account()) {
            Tensor t = m.store().get(fate.tensor());
            long at = t.dtype().isFloat() ? FiniteCheck.firstNonFinite(t.dtype(), t.bytes()) : -1;
            if (at >= 0) {
                out.add(Finding.fault(Finding.Rule.NON_FINITE, fate.tensor(), "element %d of %d is %s", at, t.elements(), t.dtype().bits() >= 16
                        ? Float.toString(Tensors.getFloat(t, at)) : "no number"));
                continue;
            }
            String last = fate.tensor().substring(fate.tensor().lastIndexOf('.') + 1);
            if (t.dtype() == DType.F16 && (last.equals("scales") || last.endsWith("weight_scale") || last.equals("weight_scale_inv"))) {
                subnormal(fate.tensor(), t).ifPresent(out::add);
            }
            if (last.equals("input_scale") && t.dtype().isFloat()) {
                for (long i = 0; i < t.elements(); i++) {
                    if (!(Tensors.getFloat(t, i) > 0)) {
                        out.add(Finding.fault(Finding.Rule.SCALE, fate.tensor(), "an activation scale is %s; it must be above zero", Tensors.getFloat(t, i)));
                        break;
                    }
                }
            }
        }
        return out;
    }

    private static Optional<Finding> subnormal(String name, Tensor t) {
        int small = 0;
        for (float s : Tensors.toFloats(t)) {
            small += s != 0 && Math.abs(s) < SMALLEST_NORMAL_F16 ? 1 : 0;
        }
        return small == 0 ? Optional.empty() : Optional.of(Finding.warning(Finding.Rule.SCALE, name,
                "%d of %d scales are subnormal in half precision: they have lost bits, and hardware that flushes them takes them for zero", small, t.elements()));
    }

    /** Embedding, final norm and head. A head that was tied is compared with the embedding. {@code roundable}: the format rounds the two tables as well (GGUF). */
    static List<Finding> ends(ModelEnds original, ModelEnds quantized, boolean roundable) {
        List<Finding> out = new ArrayList<>();
        table("embedding", original.embedding(), quantized.embedding(), roundable, out);
        table("head", original.head().orElse(original.embedding()), quantized.head().orElse(quantized.embedding()), roundable, out);
        if (original.tied() && !quantized.tied()) {
            out.add(Finding.note(Finding.Rule.TIED_HEAD, "head", "it was tied to the embedding and has a tensor of its own now"));
        }
        if (original.finalNorm().isPresent() && quantized.finalNorm().isPresent()) {
            double d = difference(original.finalNorm().get(), quantized.finalNorm().get());
            if (d > CONVERTED) {
                out.add(Finding.fault(Finding.Rule.FLOATS, quantized.finalNorm().get().name(), "the final norm is not the original's (relative difference %.4f)", d));
            }
        }
        return out;
    }

    private static void table(String what, Tensor a, Tensor b, boolean roundable, List<Finding> out) {
        if (!a.shape().equals(b.shape())) {
            out.add(Finding.fault(Finding.Rule.SHAPES, what, "it is %s, the original's is %s", b.shape(), a.shape()));
            return;
        }
        if (a.dtype() == b.dtype() && a.bytes().mismatch(b.bytes()) == -1) {
            return;
        }
        double worst = 0;
        long row = -1;
        double error = 0;
        double signal = 0;
        long rows = a.shape().dim(0);
        for (long from = 0; from < rows; from += PANEL) {
            int n = (int) Math.min(PANEL, rows - from);
            Matrix x = Tensors.toMatrix(a, from, n);
            Matrix y = Tensors.toMatrix(b, from, n);
            for (int r = 0; r < n; r++) {
                double e = 0;
                double s = 0;
                for (int c = 0; c < x.cols(); c++) {
                    double d = (double) y.get(r, c) - x.get(r, c);
                    e += d * d;
                    s += (double) x.get(r, c) * x.get(r, c);
                }
                error += e;
                signal += s;
                double relative = e == 0 ? 0 : Math.sqrt(e / s);
                if (relative > worst) {
                    worst = relative;
                    row = from + r;
                }
            }
        }
        double relative = error == 0 ? 0 : Math.sqrt(error / signal);
        if (roundable && relative > CONVERTED && relative < 0.3) {
            out.add(Finding.note(Finding.Rule.FLOATS, what, "it is rounded (relative error %.4f)", relative));
        } else if (!(worst <= 0.02)) {
            boolean rounded = relative < 0.3;
            out.add(rounded && worst < 0.5 && b.dtype().isFloat() && relative > CONVERTED
                    ? Finding.warning(Finding.Rule.FLOATS, what, "it is not the original's (relative error %.4f)", relative)
                    : Finding.fault(Finding.Rule.FLOATS, what, "it is not the original's: relative error %.4f, worst in row %d (%.4f)", relative, row, worst));
        }
    }

    /**
     * Norms and biases of a block.
     *
     * @param compensated norms whose change their readers undo
     * @param shifts      what the biases should be
     */
    static List<Finding> block(String prefix, Block original, Block quantized, Set<String> compensated, Shifts shifts) {
        List<Finding> out = new ArrayList<>();
        original.norms().forEach((slot, n) -> {
            Optional<Norm> other = quantized.norm(slot);
            if (other.isEmpty()) {
                out.add(Finding.fault(Finding.Rule.NAMES, prefix + "." + n.name(), "this norm is missing"));
                return;
            }
            Norm expected = expected(n, other.get(), compensated.contains(n.name()), shifts);
            double d = difference(expected, other.get());
            if (d > CONVERTED && compensated.contains(n.name())) {
                out.add(Finding.fault(Finding.Rule.FLOATS, prefix + "." + n.name(), "the norm was scaled, and its bias is not what the scales make of it (relative difference %.4f)", d));
            } else if (d > CONVERTED) {
                String message = "the norm is not the original's (relative difference %.4f), and what reads it was not scaled to match";
                out.add(d > 0.3 ? Finding.fault(Finding.Rule.FLOATS, prefix + "." + n.name(), message, d)
                        : Finding.warning(Finding.Rule.FLOATS, prefix + "." + n.name(), message + " (norm tweaking does this)", d));
            }
        });
        for (Linear l : original.linears()) {
            QuantizedModel.counterpart(quantized, l).ifPresent(q -> bias(prefix + "." + l.name(), l.bias(), shifts.biases().getOrDefault(l.name(), l.bias()), q.bias(), out));
        }
        return out;
    }

    /** The norm that the scales and shifts which were recognized make of the original's. */
    private static Norm expected(Norm n, Norm stored, boolean scaled, Shifts shifts) {
        if (n.weight().length != stored.weight().length) {
            return n;
        }
        float[] weight = scaled ? stored.weight() : n.weight();
        float[] bias = n.bias().clone();
        if (shifts.normBiases().containsKey(n.name())) {
            bias = shifts.normBiases().get(n.name());
        } else if (scaled && bias.length > 0) {
            for (int i = 0; i < bias.length; i++) {
                bias[i] *= n.weight()[i] == stored.weight()[i] ? 1f : stored.weight()[i] / n.weight()[i];
            }
        }
        return new Norm(n.name(), n.kind(), n.eps(), weight, bias);
    }

    private static void bias(String name, float[] original, float[] expected, float[] b, List<Finding> out) {
        // A fitted scale has a little noise.
        double tolerance = expected == original ? CONVERTED : 0.02;
        float[] a = expected;
        if (a.length != b.length) {
            boolean zero = zero(a) && zero(b);
            if (!zero) {
                out.add(a.length > 0 ? Finding.fault(Finding.Rule.FLOATS, name, "its bias is missing")
                        : Finding.warning(Finding.Rule.FLOATS, name, "it has a bias, the original has none"));
            }
            return;
        }
        if (a.length > 0) {
            MatrixError e = MatrixError.of(a, b);
            if (e.relative() > tolerance) {
                out.add(Finding.warning(Finding.Rule.FLOATS, name, "its bias is not the original's (relative difference %.4f)", e.relative()));
            }
        }
    }

    private static boolean zero(float[] v) {
        for (float x : v) {
            if (x != 0) {
                return false;
            }
        }
        return true;
    }

    private static double difference(Norm a, Norm b) {
        if (a.weight().length != b.weight().length) {
            return Double.POSITIVE_INFINITY;
        }
        double bias = a.bias().length == b.bias().length && a.bias().length > 0 ? MatrixError.of(a.bias(), b.bias()).relative() : a.bias().length == b.bias().length ? 0 : 1;
        return Math.max(MatrixError.of(a.weight(), b.weight()).relative(), bias);
    }
}
