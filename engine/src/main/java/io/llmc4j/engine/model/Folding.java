package io.llmc4j.engine.model;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Products;
import io.llmc4j.engine.tensor.Matrix;

/** Moving scales and shifts between an operation and the linear layers that read it, without changing what the block computes (spec 2.7). */
public final class Folding {

    private Folding() {
    }

    /** Whether a scale can be folded into what feeds the subset; grouped value heads only when {@code throughGroups}. */
    public static boolean possible(Block block, Subset subset, boolean throughGroups) {
        if (subset.previous().isEmpty()) {
            return false;
        }
        if (subset.previous().get() instanceof Subset.PreviousLinear p) {
            int out = block.linear(p.name()).out();
            int in = block.linear(subset.input()).in();
            return out == in || throughGroups && grouped(block, out, in);
        }
        return true;
    }

    /**
     * Whether a shift passes: through a norm always; through the value projection where attention weights add up to one (no sinks) and value heads
     * are not shared; not through the up branch, which is multiplied by the gate, nor through an activation.
     */
    public static boolean shiftPossible(Block block, Subset subset) {
        if (subset.previous().isEmpty()) {
            return false;
        }
        if (subset.previous().get() instanceof Subset.PreviousLinear p) {
            Linear linear = block.linear(p.name());
            return linear.role() == Role.V && !block.spec().attention().sinks() && linear.out() == block.linear(subset.input()).in();
        }
        return true;
    }

    /** Whether the predecessor's outputs are the value heads that several query heads share. */
    public static boolean grouped(Block block, int out, int in) {
        AttentionSpec a = block.spec().attention();
        return a.kvHeads() < a.heads() && out == a.kvHeads() * a.valueDim() && in == a.heads() * a.valueDim();
    }

    /**
     * Divides the predecessor's parameters by {@code scale} and multiplies the columns of the subset's layers.
     *
     * @param scale an entry an output of the predecessor
     * @return the scale as the layers' inputs see it, [in]: repeated for every query head where value heads are shared
     */
    public static float[] scale(Block block, Subset subset, float[] scale) {
        Subset.Previous previous = subset.previous().orElseThrow(() -> new IllegalArgumentException("nothing before " + subset.layers() + " takes a scale"));
        switch (previous) {
            case Subset.PreviousNorm p -> {
                Norm norm = block.norm(p.name());
                norm.setWeight(divided(norm.weight(), scale, p.name()));
                norm.setBias(divided(norm.bias(), scale, p.name()));
            }
            case Subset.PreviousLinear p -> {
                Linear linear = block.linear(p.name());
                float[] w = linear.weight().data();
                for (int r = 0; r < scale.length; r++) {
                    for (int i = r * linear.in(); i < (r + 1) * linear.in(); i++) {
                        w[i] /= scale[r];
                    }
                }
                requireNumbers(w, p.name());
                linear.weightChanged();
                linear.setBias(divided(linear.bias(), scale, p.name()));
            }
        }
        float[] seen = expand(block, scale, block.linear(subset.input()).in());
        for (String name : subset.layers()) {
            Linear layer = block.linear(name);
            multiplyColumns(layer.weight(), seen);
            requireNumbers(layer.weight().data(), name);
            layer.weightChanged();
        }
        return seen;
    }

    /**
     * The predecessor's output loses {@code shift} and the layers' biases gain W · shift; a layer without a bias gets one. A norm without a
     * bias gets one too.
     *
     * @param shift [in]
     */
    public static void shift(Block block, Subset subset, float[] shift) {
        if (subset.previous().isPresent() && !shiftPossible(block, subset)) {
            throw new IllegalArgumentException("a shift before " + subset.layers() + " would change the model");
        }
        switch (subset.previous().orElseThrow(() -> new IllegalArgumentException("nothing before " + subset.layers() + " takes a shift"))) {
            case Subset.PreviousNorm p -> {
                Norm norm = block.norm(p.name());
                norm.setBias(minus(norm.bias(), shift));
            }
            case Subset.PreviousLinear p -> {
                Linear linear = block.linear(p.name());
                linear.setBias(minus(linear.bias(), shift));
            }
        }
        for (String name : subset.layers()) {
            Linear layer = block.linear(name);
            float[] moved = Products.linear(new Matrix(1, shift.length, shift), layer.weight()).data();
            float[] bias = layer.bias().length == 0 ? new float[layer.out()] : layer.bias().clone();
            for (int i = 0; i < bias.length; i++) {
                bias[i] += moved[i];
            }
            layer.setBias(bias);
        }
    }

    /** A scale by output of the value projection, repeated for the query heads that share it; itself when the lengths agree. */
    public static float[] expand(Block block, float[] scale, int in) {
        if (scale.length == in) {
            return scale;
        }
        if (!grouped(block, scale.length, in)) {
            throw new IllegalArgumentException(scale.length + " scales for " + in + " input features");
        }
        AttentionSpec a = block.spec().attention();
        float[] out = new float[in];
        int share = a.heads() / a.kvHeads();
        for (int h = 0; h < a.heads(); h++) {
            System.arraycopy(scale, h / share * a.valueDim(), out, h * a.valueDim(), a.valueDim());
        }
        return out;
    }

    /** w[:, j] *= scale[j]. */
    public static void multiplyColumns(Matrix w, float[] scale) {
        for (int r = 0; r < w.rows(); r++) {
            Kernels.get().multiply(w.cols(), w.data(), r * w.cols(), scale, 0, w.data(), r * w.cols());
        }
    }

    private static float[] divided(float[] v, float[] scale, String name) {
        if (v.length == 0) {
            return v;
        }
        float[] out = new float[v.length];
        for (int i = 0; i < v.length; i++) {
            out[i] = v[i] / scale[i];
        }
        requireNumbers(out, name);
        return out;
    }

    private static float[] minus(float[] v, float[] shift) {
        float[] out = v.length == 0 ? new float[shift.length] : v.clone();
        for (int i = 0; i < out.length; i++) {
            out[i] -= shift[i];
        }
        return out;
    }

    private static void requireNumbers(float[] v, String name) {
        for (float f : v) {
            if (f != f) {
                throw BadInput.of(BadInput.Common.MODEL, "folding a scale made a parameter of %s not a number; the model or the calibration data holds values that are "
                        + "not finite, or a method's scale is zero", name);
            }
        }
    }
}
