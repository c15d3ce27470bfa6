package io.llmc4j.formats.export.gguf.block;

/** The non-linear four-bit grid of IQ4_NL and IQ4_XS and the search of a block's scale on it. */
final class Iq4 {

    /** Values of the codes, ascending. */
    static final byte[] VALUES = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

    private static final int STEPS = 7;

    private Iq4() {
    }

    /** The code whose value is nearest; between two, halves go up. */
    static int nearest(float v) {
        if (v <= VALUES[0]) {
            return 0;
        }
        if (v >= VALUES[15]) {
            return 15;
        }
        int low = 0;
        int high = 15;
        while (high - low > 1) {
            int middle = (low + high) / 2;
            if (v < VALUES[middle]) {
                high = middle;
            } else {
                low = middle;
            }
        }
        return v - VALUES[high - 1] < VALUES[high] - v ? high - 1 : high;
    }

    /** The scale of smallest weighted squared error for 32 values; 0 when all are zero. */
    static float scale(float[] x, int at, float[] weight) {
        float extreme = SymmetricSearch.extreme(32, x, at);
        if (Math.abs(extreme) < SymmetricSearch.NOTHING) {
            return 0f;
        }
        float inverse = 1f / (-extreme / VALUES[0]);
        float scale = 0f;
        float best = 0f;
        for (int step = -STEPS - 1; step <= STEPS; step++) {
            // The first try maps the extreme to the lowest value; the others to that value plus a whole step.
            boolean initial = step == -STEPS - 1;
            if (!initial) {
                inverse = (step + VALUES[0]) / extreme;
            }
            float sumQx = 0f;
            float sumQ2 = 0f;
            for (int j = 0; j < 32; j++) {
                float q = VALUES[nearest(inverse * x[at + j])];
                float wq = weight[j] * q;
                sumQx += wq * x[at + j];
                sumQ2 += wq * q;
            }
            if (initial) {
                scale = sumQ2 > 0f ? sumQx / sumQ2 : 0f;
                best = scale * sumQx;
            } else if (sumQ2 > 0f && sumQx * sumQx > best * sumQ2) {
                scale = sumQx / sumQ2;
                best = scale * sumQx;
            }
        }
        return scale;
    }

    /** Weights of 32 values: x², or by importance and {@code sigma2}. */
    static void weights(float[] x, int at, float[] importance, int impOff, float sigma2, float[] out) {
        if (importance.length != 0) {
            Bits.weigh(x, at, 32, importance, impOff, sigma2, out);
            return;
        }
        for (int j = 0; j < 32; j++) {
            out[j] = x[at + j] * x[at + j];
        }
    }
}
