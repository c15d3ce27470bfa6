package io.llmc4j.formats.export.gguf.block;

/** The best scale for symmetric codes under weighted squared error: around the extreme's scale, steps of a tenth of a code. */
final class SymmetricSearch {

    /** Blocks whose extreme is below this are all zero. */
    static final float NOTHING = 1e-15f;

    private static final int STEPS = 9;

    private SymmetricSearch() {
    }

    /**
     * Codes 0 … 2·half - 1 (value: scale · (code - half)) for n values; returns the scale, which carries a sign.
     *
     * @param weight error weights; length 0: x²
     */
    static float search(int n, int half, float[] x, int at, byte[] codes, int codeOff, float[] weight, int weightOff) {
        float extreme = extreme(n, x, at);
        if (Math.abs(extreme) < NOTHING) {
            java.util.Arrays.fill(codes, codeOff, codeOff + n, (byte) 0);
            return 0f;
        }
        float inverse = -half / extreme;
        float sumXl = 0f;
        float sumL2 = 0f;
        for (int i = 0; i < n; i++) {
            float v = x[at + i];
            int l = Bits.nearest(inverse * v, -half, half - 1);
            codes[codeOff + i] = (byte) (l + half);
            float w = weight.length == 0 ? v * v : weight[weightOff + i];
            sumXl += w * v * l;
            sumL2 += w * l * l;
        }
        float scale = sumL2 != 0f ? sumXl / sumL2 : 0f;
        float best = scale * sumXl;
        for (int step = -STEPS; step <= STEPS; step++) {
            if (step == 0) {
                continue;
            }
            inverse = -(half + 0.1f * step) / extreme;
            sumXl = 0f;
            sumL2 = 0f;
            for (int i = 0; i < n; i++) {
                float v = x[at + i];
                int l = Bits.nearest(inverse * v, -half, half - 1);
                float w = weight.length == 0 ? v * v : weight[weightOff + i];
                sumXl += w * v * l;
                sumL2 += w * l * l;
            }
            if (sumL2 > 0f && sumXl * sumXl > best * sumL2) {
                for (int i = 0; i < n; i++) {
                    codes[codeOff + i] = (byte) (half + Bits.nearest(inverse * x[at + i], -half, half - 1));
                }
                scale = sumXl / sumL2;
                best = scale * sumXl;
            }
        }
        return scale;
    }

    /** The first element of largest magnitude. */
    static float extreme(int n, float[] x, int at) {
        float largest = 0f;
        float extreme = 0f;
        for (int i = 0; i < n; i++) {
            float a = Math.abs(x[at + i]);
            if (a > largest) {
                largest = a;
                extreme = x[at + i];
            }
        }
        return extreme;
    }

    /**
     * The same codes by coordinate descent (weights x²): every code in turn moves to where the error is smallest, five rounds at most.
     * Codes are 0 … 2·half - 1; an all-zero block has codes 0.
     */
    static float descend(int n, int half, float[] x, int at, byte[] codes, int codeOff) {
        float extreme = extreme(n, x, at);
        if (Math.abs(extreme) < NOTHING) {
            java.util.Arrays.fill(codes, codeOff, codeOff + n, (byte) 0);
            return 0f;
        }
        float inverse = -half / extreme;
        float sumXl = 0f;
        float sumL2 = 0f;
        for (int i = 0; i < n; i++) {
            float v = x[at + i];
            int l = Bits.nearest(inverse * v, -half, half - 1);
            codes[codeOff + i] = (byte) l;
            float w = v * v;
            sumXl += w * v * l;
            sumL2 += w * l * l;
        }
        boolean changed = true;
        for (int round = 0; round < 5 && changed; round++) {
            changed = false;
            for (int i = 0; i < n; i++) {
                float v = x[at + i];
                float w = v * v;
                int old = codes[codeOff + i];
                float xl = sumXl - w * v * old;
                if (!(xl > 0f)) {
                    continue;
                }
                float l2 = sumL2 - w * old * old;
                int l = Bits.nearest(v * l2 / xl, -half, half - 1);
                if (l == old) {
                    continue;
                }
                xl += w * v * l;
                l2 += w * l * l;
                if (l2 > 0f && xl * xl * sumL2 > sumXl * sumXl * l2) {
                    codes[codeOff + i] = (byte) l;
                    sumXl = xl;
                    sumL2 = l2;
                    changed = true;
                }
            }
        }
        for (int i = 0; i < n; i++) {
            codes[codeOff + i] += (byte) half;
        }
        return sumL2 > 0f ? sumXl / sumL2 : 0f;
    }
}
