package io.llmc4j.formats.export.gguf.block;

/** The plain range of Q4_0 and Q5_0: the element of largest magnitude, with its sign, becomes the lowest code. */
final class SymmetricRange {

    private SymmetricRange() {
    }

    /** Codes 0 … 2·half - 1 of n values; returns the scale extreme / -half. */
    static float codesByExtreme(float[] x, int at, int n, int half, byte[] codes) {
        float largest = 0f;
        float extreme = 0f;
        for (int j = 0; j < n; j++) {
            float v = x[at + j];
            if (largest < Math.abs(v)) {
                largest = Math.abs(v);
                extreme = v;
            }
        }
        float d = extreme / -half;
        float inverse = d != 0f ? 1f / d : 0f;
        for (int j = 0; j < n; j++) {
            int code = (byte) Bits.truncate(x[at + j] * inverse + (half + 0.5f));
            codes[j] = (byte) Math.min(2 * half - 1, code);
        }
        return d;
    }
}
