package io.llmc4j.engine.model;

import io.llmc4j.engine.quant.ActivationRounding;
import io.llmc4j.engine.quant.WeightRounding;
import io.llmc4j.engine.tensor.Matrix;
import java.util.Optional;

/**
 * One linear layer of a block, y = x Wᵀ + b, with what a method has decided about it. Mutable: methods fold scales into {@link #weight}
 * and install roundings; the fold owns it while its block is at hand.
 */
public final class Linear {

    private final String name;
    private final Role role;
    private final int expert;
    private Matrix weight;
    private float[] bias;
    private boolean quantized;
    private WeightRounding weightRounding;
    private ActivationRounding activationRounding;
    private InputRotation inputRotation;
    private Matrix effective;

    /**
     * @param name   the layer's name in its block, as the family's checkpoint names it, "self_attn.q_proj"; parts of a fused tensor add "[q]"
     * @param expert index of the expert that it belongs to, -1 when none
     * @param weight [out, in]
     * @param bias   [out], or length 0
     */
    public Linear(String name, Role role, int expert, Matrix weight, float[] bias) {
        this.name = name;
        this.role = role;
        this.expert = expert;
        this.weight = weight;
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
        return weight.cols();
    }

    public int out() {
        return weight.rows();
    }

    /** The float weight, transformed so far; editing it needs {@link #weightChanged()}. */
    public Matrix weight() {
        return weight;
    }

    public void setWeight(Matrix w) {
        if (w.rows() != weight.rows() || w.cols() != weight.cols()) {
            throw new IllegalArgumentException(name + ": " + w + " for " + weight);
        }
        weight = w;
        effective = null;
    }

    public void weightChanged() {
        effective = null;
    }

    /** [out], or length 0. */
    public float[] bias() {
        return bias;
    }

    public void setBias(float[] b) {
        bias = b;
    }

    /** Whether {@link #effectiveWeight()} is the quantized one and inputs are rounded. */
    public boolean quantized() {
        return quantized;
    }

    /** Switches between the float layer and the fake-quantized one. */
    public void setQuantized(boolean on) {
        quantized = on;
    }

    public Optional<WeightRounding> weightRounding() {
        return Optional.ofNullable(weightRounding);
    }

    public void setWeightRounding(WeightRounding r) {
        weightRounding = r;
        effective = null;
    }

    public Optional<ActivationRounding> activationRounding() {
        return Optional.ofNullable(activationRounding);
    }

    public void setActivationRounding(ActivationRounding r) {
        activationRounding = r;
    }

    /** The online rotation of the input, when there is one (QuaRot). */
    public Optional<InputRotation> inputRotation() {
        return Optional.ofNullable(inputRotation);
    }

    public void setInputRotation(InputRotation r) {
        inputRotation = r;
    }

    /** The weight that a forward pass multiplies with: quantized and dequantized (once, then kept) when {@link #quantized()}. */
    public Matrix effectiveWeight() {
        if (!quantized || weightRounding == null) {
            return weight;
        }
        if (effective == null) {
            effective = weightRounding.fakeQuantize(weight);
        }
        return effective;
    }

    /** An orthogonal map of the input rows, in place. */
    public interface InputRotation {
        void rotate(Matrix x);
    }
}
