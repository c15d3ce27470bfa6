package io.llmc4j.engine.model;

import io.llmc4j.engine.quant.ActivationRounding;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.quant.WeightRounding;
import io.llmc4j.engine.tensor.Matrix;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * One linear layer of a block, y = x Wᵀ + b, with what a method has decided about it. Mutable: methods fold scales into {@link #weight}
 * and install roundings; the fold owns it while its block is at hand.
 */
public final class Linear {

    private final String name;
    private final Role role;
    private final int expert;
    private final int out;
    private final int in;
    private final Supplier<Matrix> source;
    private Matrix weight;
    private boolean changed;
    private float[] bias;
    private boolean quantized;
    private WeightRounding weightRounding;
    private ActivationRounding activationRounding;
    private InputRotation inputRotation;
    private Matrix effective;
    private int revision;

    /**
     * @param name   the layer's name in its block, as the family's checkpoint names it, "self_attn.q_proj"; parts of a fused tensor add "[q]"
     * @param expert index of the expert that it belongs to, -1 when none
     * @param weight [out, in]
     * @param bias   [out], or length 0
     */
    public Linear(String name, Role role, int expert, Matrix weight, float[] bias) {
        this(name, role, expert, weight.rows(), weight.cols(), () -> weight, bias);
        this.weight = weight;
    }

    /** A layer whose weight is decoded when it is first asked for, so that a block of many experts need not be in memory as a whole. */
    public Linear(String name, Role role, int expert, int out, int in, Supplier<Matrix> source, float[] bias) {
        this.name = name;
        this.role = role;
        this.expert = expert;
        this.out = out;
        this.in = in;
        this.source = source;
        this.bias = bias;
    }

    public String name() {
        return name;
    }

    public Role role() {
        return role;
    }

    public int expert() {
        return expert;
    }

    public int in() {
        return in;
    }

    public int out() {
        return out;
    }

    /** The float weight, transformed so far. Throws NonFiniteWeight when a stored one holds a NaN or an infinity. Editing it needs {@link #weightChanged()}. */
    public Matrix weight() {
        if (weight == null) {
            weight = source.get();
            if (weight.rows() != out || weight.cols() != in) {
                throw new IllegalStateException(name + ": decoded " + weight + " for [" + out + ", " + in + "]");
            }
            NonFiniteWeight.check(name, weight);
        }
        return weight;
    }

    /** Whether the weight is no longer the stored one. */
    public boolean changed() {
        return changed;
    }

    /** Whether a weight of it is in memory. */
    public boolean loaded() {
        return weight != null || effective != null;
    }

    /** Lets go of what can be made again: the quantized weight, and the float one unless it was changed. */
    public void release() {
        effective = null;
        if (!changed) {
            weight = null;
        }
    }

    public void setWeight(Matrix w) {
        if (w.rows() != out || w.cols() != in) {
            throw new IllegalArgumentException(name + ": " + w + " for [" + out + ", " + in + "]");
        }
        weight = w;
        weightChanged();
    }

    public void weightChanged() {
        changed = true;
        effective = null;
        revision++;
    }

    /** Grows with every change of what the layer computes. */
    public int revision() {
        return revision;
    }

    /** [out], or length 0. */
    public float[] bias() {
        return bias;
    }

    public void setBias(float[] b) {
        bias = b;
        revision++;
    }

    /** Whether {@link #effectiveWeight()} is the quantized one and inputs are rounded. */
    public boolean quantized() {
        return quantized;
    }

    /** Switches between the float layer and the fake-quantized one. */
    public void setQuantized(boolean on) {
        revision += quantized == on ? 0 : 1;
        quantized = on;
    }

    public Optional<WeightRounding> weightRounding() {
        return Optional.ofNullable(weightRounding);
    }

    public void setWeightRounding(WeightRounding r) {
        revision += weightRounding == r ? 0 : 1;
        weightRounding = r;
        effective = null;
    }

    public Optional<ActivationRounding> activationRounding() {
        return Optional.ofNullable(activationRounding);
    }

    public void setActivationRounding(ActivationRounding r) {
        revision += activationRounding == r ? 0 : 1;
        activationRounding = r;
    }

    /** The online rotation of the input, when there is one (QuaRot). */
    public Optional<InputRotation> inputRotation() {
        return Optional.ofNullable(inputRotation);
    }

    public void setInputRotation(InputRotation r) {
        inputRotation = r;
        revision++;
    }

    /** The weight that a forward pass multiplies with: quantized and dequantized (once, then kept) when {@link #quantized()}. */
    public Matrix effectiveWeight() {
        if (!quantized || weightRounding == null) {
            return weight();
        }
        if (effective == null) {
            effective = weightRounding.fakeQuantize(weight());
        }
        return effective;
    }

    /** As {@link #effectiveWeight()}, where the quantized weight can be had from the codes for less. */
    public Matrix effectiveWeight(QuantizedMatrix codes) {
        if (quantized && weightRounding != null && effective == null) {
            effective = weightRounding.fakeOf(codes).orElse(null);
        }
        return effectiveWeight();
    }

    /** An orthogonal map of the input rows, in place. */
    public interface InputRotation {
        void rotate(Matrix x);
    }
}
