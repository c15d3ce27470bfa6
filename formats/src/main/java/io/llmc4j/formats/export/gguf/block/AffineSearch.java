package io.llmc4j.formats.export.gguf.block;

/**
 * The best scale and offset for codes 0 … max under weighted error: value = scale · code - offset, offset at least 0. Tries
 * {@code steps + 1} inverse scales and solves the weighted least squares of each; a better one's offset is where the next try starts.
 */
final class AffineSearch {

    private final int n;
    private final int max;
    private final float first;
    private final float delta;
    private final int steps;
    private final boolean absolute;
    private final byte[] trial;
    private float offset;

    /**
     * @param n        elements of a sub-block
     * @param first    the largest value goes to {@code max + first + delta * step}, step = 0 … steps
     * @param absolute the error is the absolute difference instead of its square
     */
    AffineSearch(int n, int max, float first, float delta, int steps, boolean absolute) {
        this.n = n;
        this.max = max;
        this.first = first;
        this.delta = delta;
        this.steps = steps;
        this.absolute = absolute;
        this.trial = new byte[n];
    }

    /** What the last search subtracts, at least 0. */
    float offset() {
        return offset;
    }

    /** Codes of n values from {@code at}; returns the scale. */
    float search(float[] x, int at, float[] weight, byte[] codes, int codeOff) {
        float min = x[at];
        float largest = x[at];
        float sumW = weight[0];
        float sumX = sumW * x[at];
        for (int i = 1; i < n; i++) {
            float v = x[at + i];
            min = v < min ? v : min;
            largest = v > largest ? v : largest;
            sumW += weight[i];
            sumX += weight[i] * v;
        }
        min = min > 0f ? 0f : min;
        if (largest <= min) {
            java.util.Arrays.fill(codes, codeOff, codeOff + n, (byte) 0);
            offset = -min;
            return 0f;
        }
        float inverse = max / (largest - min);
        float scale = 1f / inverse;
        for (int i = 0; i < n; i++) {
            codes[codeOff + i] = (byte) Bits.nearest(inverse * (x[at + i] - min), 0, max);
        }
        float bestError = error(x, at, weight, codes, codeOff, scale, min);
        for (int step = 0; step <= steps; step++) {
            inverse = (first + delta * step + max) / (largest - min);
            float sumL = 0f;
            float sumL2 = 0f;
            float sumXl = 0f;
            for (int i = 0; i < n; i++) {
                int l = Bits.nearest(inverse * (x[at + i] - min), 0, max);
                trial[i] = (byte) l;
                float wl = weight[i] * l;
                sumL += wl;
                sumL2 += wl * l;
                sumXl += wl * x[at + i];
            }
            float determinant = sumW * sumL2 - sumL * sumL;
            if (!(determinant > 0f)) {
                continue;
            }
            float trialScale = (sumW * sumXl - sumX * sumL) / determinant;
            float trialMin = (sumL2 * sumX - sumL * sumXl) / determinant;
            if (trialMin > 0f) {
                trialMin = 0f;
                trialScale = sumXl / sumL2;
            }
            float error = error(x, at, weight, trial, 0, trialScale, trialMin);
            if (error < bestError) {
                System.arraycopy(trial, 0, codes, codeOff, n);
                bestError = error;
                scale = trialScale;
                min = trialMin;
            }
        }
        offset = -min;
        return scale;
    }

    private float error(float[] x, int at, float[] weight, byte[] codes, int codeOff, float scale, float min) {
        float error = 0f;
        for (int i = 0; i < n; i++) {
            float difference = scale * codes[codeOff + i] + min - x[at + i];
            error += weight[i] * (absolute ? Math.abs(difference) : difference * difference);
        }
        return error;
    }
}
