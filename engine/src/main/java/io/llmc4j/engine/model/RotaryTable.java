package io.llmc4j.engine.model;

import io.llmc4j.engine.tensor.Matrix;
import java.util.Arrays;
import java.util.List;

/**
 * Cosines and sines of the rotary embedding for a run of positions. Frequencies are made in double, angles are products of float32 numbers
 * (as the reference implementations have them), and their cosines come from {@link StrictMath}, so tables are the same on every machine.
 */
final class RotaryTable {

    private final AttentionSpec.Rotary rotary;
    private final int pairs;
    /** [positions * pairs] */
    private final float[] cos;
    private final float[] sin;

    /**
     * @param first  position of the first row
     * @param tokens rows
     */
    RotaryTable(AttentionSpec.Rotary rotary, int first, int tokens) {
        this.rotary = rotary;
        this.pairs = rotary.dims() / 2;
        this.cos = new float[tokens * pairs];
        this.sin = new float[tokens * pairs];
        double[] frequencies = frequencies(rotary.scaling(), rotary.dims(), first + tokens);
        double factor = attentionFactor(rotary.scaling());
        for (int t = 0; t < tokens; t++) {
            for (int i = 0; i < pairs; i++) {
                float angle = (float) frequencies[i] * (first + t);
                cos[t * pairs + i] = (float) (StrictMath.cos(angle) * factor);
                sin[t * pairs + i] = (float) (StrictMath.sin(angle) * factor);
            }
        }
    }

    /** [positions * pairs], attention factor included. */
    float[] cos() {
        return cos;
    }

    float[] sin() {
        return sin;
    }

    /** Rotates {@code dims} features of each head in place. Row {@code b * tokens + t} of x is at table row t. */
    void rotate(Matrix x, int row, int tableRow, int heads, int headDim, int offset) {
        float[] d = x.data();
        int table = tableRow * pairs;
        for (int h = 0; h < heads; h++) {
            int at = row * x.cols() + h * headDim + offset;
            for (int i = 0; i < pairs; i++) {
                int a = rotary.interleaved() ? at + 2 * i : at + i;
                int b = rotary.interleaved() ? a + 1 : a + pairs;
                float c = cos[table + i];
                float s = sin[table + i];
                float p = d[a];
                float q = d[b];
                d[a] = p * c - q * s;
                d[b] = q * c + p * s;
            }
        }
    }

    /** Radians a position for each pair, when the longest position is {@code length - 1}. */
    static double[] frequencies(RopeScaling scaling, int dims, int length) {
        return switch (scaling) {
            case RopeScaling.Plain p -> plain(p.base(), dims);
            case RopeScaling.LinearScaling l -> divide(plain(l.base(), dims), l.factor());
            case RopeScaling.Dynamic d -> {
                double grow = length > d.maxPositions() ? d.factor() * length / d.maxPositions() - (d.factor() - 1) : 1;
                yield plain(d.base() * StrictMath.pow(grow, dims / (dims - 2.0)), dims);
            }
            case RopeScaling.QwenDynamic q -> {
                double context = StrictMath.log((double) length / q.trainedPositions()) / StrictMath.log(2) + 1;
                double alpha = Math.max(1, StrictMath.pow(2, StrictMath.ceil(context)) - 1);
                yield plain(q.base() * StrictMath.pow(alpha, dims / (dims - 2.0)), dims);
            }
            case RopeScaling.Llama3 l -> llama3(l, plain(l.base(), dims));
            case RopeScaling.Yarn y -> yarn(y, dims);
            case RopeScaling.LongRope l -> {
                double[] f = plain(l.base(), dims);
                List<Double> by = length > l.originalPositions() ? l.longFactors() : l.shortFactors();
                for (int i = 0; i < f.length; i++) {
                    f[i] /= by.get(i);
                }
                yield f;
            }
        };
    }

    /** What cosines and sines are multiplied with. */
    static double attentionFactor(RopeScaling scaling) {
        return switch (scaling) {
            case RopeScaling.Yarn y when y.attentionFactor() != 0 -> y.attentionFactor();
            case RopeScaling.Yarn y when y.mscale() != 0 && y.mscaleAllDims() != 0 ->
                    RopeScaling.Yarn.temperature(y.factor(), y.mscale()) / RopeScaling.Yarn.temperature(y.factor(), y.mscaleAllDims());
            case RopeScaling.Yarn y -> RopeScaling.Yarn.temperature(y.factor(), 1);
            case RopeScaling.LongRope l when l.attentionFactor() != 0 -> l.attentionFactor();
            case RopeScaling.LongRope l -> {
                double scale = (double) l.maxPositions() / l.originalPositions();
                yield scale <= 1 ? 1 : StrictMath.sqrt(1 + StrictMath.log(scale) / StrictMath.log(l.originalPositions()));
            }
            default -> 1;
        };
    }

    private static double[] plain(double base, int dims) {
        double[] f = new double[dims / 2];
        for (int i = 0; i < f.length; i++) {
            f[i] = 1 / StrictMath.pow(base, 2.0 * i / dims);
        }
        return f;
    }

    private static double[] divide(double[] f, double by) {
        return Arrays.stream(f).map(v -> v / by).toArray();
    }

    private static double[] llama3(RopeScaling.Llama3 l, double[] f) {
        double longest = l.originalPositions() / l.lowFrequencyFactor();
        double shortest = l.originalPositions() / l.highFrequencyFactor();
        for (int i = 0; i < f.length; i++) {
            double wave = 2 * Math.PI / f[i];
            if (wave > longest) {
                f[i] /= l.factor();
            } else if (wave >= shortest) {
                double s = (l.originalPositions() / wave - l.lowFrequencyFactor()) / (l.highFrequencyFactor() - l.lowFrequencyFactor());
                f[i] = (1 - s) * f[i] / l.factor() + s * f[i];
            }
        }
        return f;
    }

    private static double[] yarn(RopeScaling.Yarn y, int dims) {
        double[] f = plain(y.base(), dims);
        double low = correction(y, y.betaFast(), dims);
        double high = correction(y, y.betaSlow(), dims);
        if (y.truncate()) {
            low = Math.floor(low);
            high = Math.ceil(high);
        }
        low = Math.max(low, 0);
        high = Math.min(high, dims - 1);
        double width = low == high ? 0.001 : high - low;
        for (int i = 0; i < f.length; i++) {
            double interpolate = Math.min(1, Math.max(0, (i - low) / width));
            f[i] = f[i] / y.factor() * interpolate + f[i] * (1 - interpolate);
        }
        return f;
    }

    /** The (fractional) pair that turns {@code rotations} times within the original length. */
    private static double correction(RopeScaling.Yarn y, double rotations, int dims) {
        return dims * StrictMath.log(y.originalPositions() / (rotations * 2 * Math.PI)) / (2 * StrictMath.log(y.base()));
    }
}
