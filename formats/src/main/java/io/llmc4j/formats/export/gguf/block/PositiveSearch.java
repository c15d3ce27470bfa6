package io.llmc4j.formats.export.gguf.block;

/**
 * Quantizes values (scales and minima of sub-blocks, magnitudes) to 0 … max under weighted squared error. Values are meant to be
 * non-negative; IQ2_XXS may bring a few that are not.
 */
final class PositiveSearch {

    private static final int STEPS = 4;

    private PositiveSearch() {
    }

    /** Codes of n values; returns the scale. */
    static float search(int n, int max, float[] x, byte[] codes, float[] weight) {
        float largest = 0f;
        for (int i = 0; i < n; i++) {
            largest = Math.max(largest, x[i]);
        }
        if (largest < SymmetricSearch.NOTHING) {
            java.util.Arrays.fill(codes, 0, n, (byte) 0);
            return 0f;
        }
        float inverse = bestInverse(n, max, x, weight, largest);
        float sumXl = 0f;
        float sumL2 = 0f;
        for (int i = 0; i < n; i++) {
            int l = Math.min(max, Bits.nearest(inverse * x[i]));
            codes[i] = (byte) l;
            float w = weight[i];
            sumXl += w * x[i] * l;
            sumL2 += w * l * l;
        }
        boolean changed = true;
        for (int round = 0; round < 5 && changed; round++) {
            changed = false;
            for (int i = 0; i < n; i++) {
                float w = weight[i];
                int old = codes[i] & 0xff;
                float xl = sumXl - w * x[i] * old;
                float l2 = sumL2 - w * old * old;
                if (!(xl > 0f && l2 > 0f)) {
                    continue;
                }
                int l = Math.min(max, Bits.nearest(x[i] * l2 / xl));
                if (l == old) {
                    continue;
                }
                xl += w * x[i] * l;
                l2 += w * l * l;
                if (xl * xl * sumL2 > sumXl * sumXl * l2) {
                    codes[i] = (byte) l;
                    sumXl = xl;
                    sumL2 = l2;
                    changed = true;
                }
            }
        }
        return sumL2 > 0f ? sumXl / sumL2 : 0f;
    }

    /** The inverse scale of smallest error among those that send the largest value to max + step / 10. */
    private static float bestInverse(int n, int max, float[] x, float[] weight, float largest) {
        float best = max / largest;
        float bestError = firstError(n, x, weight, best);
        for (int step = -STEPS; step <= STEPS; step++) {
            if (step == 0) {
                continue;
            }
            float inverse = (0.1f * step + max) / largest;
            float error = error(n, max, x, weight, inverse);
            if (error < bestError) {
                bestError = error;
                best = inverse;
            }
        }
        return best;
    }

    /** As {@link #error} without the bound; codes are bytes here, so a negative value counts as its code plus 256. */
    private static float firstError(int n, float[] x, float[] weight, float inverse) {
        float scale = 1f / inverse;
        float error = 0f;
        for (int i = 0; i < n; i++) {
            float difference = x[i] - scale * (Bits.nearest(inverse * x[i]) & 0xff);
            error += weight[i] * difference * difference;
        }
        return error;
    }

    private static float error(int n, int max, float[] x, float[] weight, float inverse) {
        float scale = 1f / inverse;
        float error = 0f;
        for (int i = 0; i < n; i++) {
            float difference = x[i] - scale * Math.min(max, Bits.nearest(inverse * x[i]));
            error += weight[i] * difference * difference;
        }
        return error;
    }
}
