package io.llmc4j.engine.model;

/** A normalization layer with its parameters; mutable, because scales fold into it. The stored weight of Gemma has 1 added by its family. */
public final class Norm {

    /** RMS: x / rms(x) * weight. LAYER: (x - mean) / deviation * weight + bias. */
    public enum Kind { RMS, LAYER }

    private final String name;
    private Kind kind;
    private final float eps;
    private float[] weight;
    private float[] bias;

    /** @param bias [features] or length 0 */
    public Norm(String name, Kind kind, float eps, float[] weight, float[] bias) {
        this.name = name;
        this.kind = kind;
        this.eps = eps;
        this.weight = weight;
        this.bias = bias;
    }

    public String name() {
        return name;
    }

    public Kind kind() {
        return kind;
    }

    public void setKind(Kind k) {
        kind = k;
    }

    public float eps() {
        return eps;
    }

    public float[] weight() {
        return weight;
    }

    public void setWeight(float[] w) {
        weight = w;
    }

    public float[] bias() {
        return bias;
    }

    public void setBias(float[] b) {
        bias = b;
    }
}
