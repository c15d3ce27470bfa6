package io.llmc4j.engine.pipeline;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Hidden;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.tensor.Matrix;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Numbers that end a run, each with the name of the tensor that holds them, and numbers that are odd and only worth a line of the report. */
final class Soundness {

    private static final float SMALLEST_NORMAL_F16 = 0x1p-14f;

    private Soundness() {
    }

    /** Norms, biases and vectors of a block as it was read. Weights are looked at when they are decoded. */
    static void requireFinite(Block block, String prefix) {
        block.norms().values().forEach(n -> {
            requireFinite(prefix + "." + n.name(), n.weight());
            requireFinite(prefix + "." + n.name() + " (bias)", n.bias());
        });
        block.linears().forEach(l -> requireFinite(prefix + "." + l.name() + " (bias)", l.bias()));
        block.vectors().forEach((name, v) -> requireFinite(prefix + "." + name, v));
    }

    private static void requireFinite(String name, float[] values) {
        for (int i = 0; i < values.length; i++) {
            if (!Float.isFinite(values[i])) {
                throw BadInput.of(BadInput.Common.MODEL, "%s holds %s at [%d]; the model is damaged: get it again", name, values[i], i);
            }
        }
    }

    /** States behind a block. */
    static void requireFinite(Block block, int chunk, Hidden h) {
        float[] x = h.data().data();
        if (Float.isFinite(Kernels.get().absMax(x.length, x, 0))) {
            return;
        }
        int at = 0;
        while (Float.isFinite(x[at])) {
            at++;
        }
        int row = at / h.data().cols();
        throw BadInput.of(BadInput.Common.MODEL, "the hidden states behind block %d hold %s (chunk %d, sequence %d, token %d, feature %d): float32 does not hold this model's "
                + "activations on this data; look at the block's weights with llmc4j inspect, or use other calibration data", block.index(), x[at], chunk, row / h.tokens(),
                row % h.tokens(), at % h.data().cols());
    }

    /** |h(i, j)| is at most the root of h(i, i) h(j, j), so the diagonal tells all. */
    static Matrix requireFinite(Matrix hessian, String layer) {
        for (int i = 0; i < hessian.rows(); i++) {
            if (!Float.isFinite(hessian.get(i, i))) {
                throw BadInput.of(BadInput.Common.MODEL, "the Hessian of %s holds %s at [%d, %d]: its inputs are too large to be squared in float32; smooth or rotate the model "
                        + "first (SmoothQuant, Quarot), or leave the layer float by ignored_layers", layer, hessian.get(i, i), i, i);
            }
        }
        return hessian;
    }

    /** What a method made of a layer. */
    static void requireFinite(String layer, Optional<QuantizedMatrix> codes, double squaredError) {
        if (codes.isPresent()) {
            float[] s = codes.get().scales();
            for (int i = 0; i < s.length; i++) {
                if (!Float.isFinite(s[i])) {
                    throw BadInput.of(BadInput.Common.MODEL, "%s: scale %d of its weight is %s; leave the layer float by ignored_layers, or use another method", layer, i, s[i]);
                }
            }
        }
        if (!Double.isFinite(squaredError)) {
            throw BadInput.of(BadInput.Common.MODEL, "%s: its quantized weight holds a NaN or an infinity; leave the layer float by ignored_layers, or use another method", layer);
        }
    }

    /**
     * Rows and columns of zeros, groups of one value, subnormal weights, scales that half precision holds with few bits or not at all. Zero rows and
     * groups are stored exactly by every scheme: their scale is the smallest that the scheme has, and their codes stand for zero.
     */
    static List<String> oddities(Linear layer, Matrix w, Optional<QuantizedMatrix> codes) {
        List<String> out = new ArrayList<>();
        int cols = w.cols();
        int group = codes.map(q -> q.scales().length).filter(n -> n > w.rows() && w.data().length % n == 0).map(n -> w.data().length / n).orElse(0);
        boolean asymmetric = codes.map(q -> q.zeros().length > 0 && q.scheme().roundZeroPoint()).orElse(false);
        Oddities all = Oddities.of(w, group > 0 && cols % group == 0 ? group : 0, asymmetric);
        add(out, all.zeroRows, "rows of zeros");
        add(out, all.zeroRows == w.rows() ? 0 : all.zeroColumns, "columns of zeros");
        add(out, all.zeroGroups, "groups of zeros");
        add(out, all.constantGroups, "groups of one value");
        add(out, all.oneSidedGroups, "groups on one side of zero: their zero points are clamped, as LLMC has it");
        add(out, all.subnormal, "subnormal weights");
        if (codes.isPresent()) {
            int small = 0;
            for (float s : codes.get().scales()) {
                small += s != 0 && Math.abs(s) < SMALLEST_NORMAL_F16 ? 1 : 0;
            }
            add(out, Math.max(0, small - all.zeroRows - all.zeroGroups), "scales below half precision's normal range");
        }
        return out;
    }

    private static void add(List<String> out, long n, String what) {
        if (n > 0) {
            out.add(n + " " + what);
        }
    }
}
