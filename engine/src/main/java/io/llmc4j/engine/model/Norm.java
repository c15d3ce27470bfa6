package io.llmc4j.engine.model;

import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.tensor.Matrix;

/** A normalization layer with its parameters; mutable, because scales fold into it. The stored weight of Gemma has 1 added by its family. */
public final class Norm {

    /** RMS: x / rms(x) * weight + bias (no family stores one, a folded shift makes one). LAYER: (x - mean) / deviation * weight + bias. */
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

    /** Every row normalized: a new matrix. */
    public Matrix apply(Matrix x) {
        return applyInParts(x, 1);
    }

    /** Each of {@code parts} equal stretches of a row normalized by itself; the weight still has one entry a column. */
    public Matrix applyInParts(Matrix x, int parts) {
        Kernels kernels = Kernels.get();
        int n = x.cols() / parts;
        Matrix out = new Matrix(x.rows(), x.cols());
        float[][] weights = slices(weight, parts, n);
        float[][] biases = slices(bias, parts, n);
        Parallel.forRange(x.rows(), (from, to) -> {
            for (int i = from * parts; i < to * parts; i++) {
                if (kind == Kind.RMS) {
                    kernels.rmsNorm(n, x.data(), i * n, weights[i % parts], eps, out.data(), i * n);
                    if (bias.length > 0) {
                        kernels.add(n, out.data(), i * n, biases[i % parts], 0, out.data(), i * n);
                    }
                } else {
                    kernels.layerNorm(n, x.data(), i * n, weights[i % parts], biases[i % parts], eps, out.data(), i * n);
                }
            }
        });
        return out;
    }

    private static float[][] slices(float[] v, int parts, int n) {
        float[][] out = new float[parts][];
        for (int p = 0; p < parts; p++) {
            out[p] = v.length == 0 ? v : parts == 1 ? v : java.util.Arrays.copyOfRange(v, p * n, (p + 1) * n);
        }
        return out;
    }
}
