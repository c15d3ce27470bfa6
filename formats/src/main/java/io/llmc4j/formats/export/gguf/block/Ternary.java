package io.llmc4j.formats.export.gguf.block;

/** Codes 0, 1, 2 for -1, 0, 1 times the largest magnitude of 256 values. */
final class Ternary {

    private Ternary() {
    }

    /** Fills codes [256]; returns the scale. */
    static float codes(float[] x, int at, byte[] codes) {
        float d = 0f;
        for (int i = 0; i < SuperBlock.SIZE; i++) {
            d = Math.max(d, Math.abs(x[at + i]));
        }
        float inverse = d != 0f ? 1f / d : 0f;
        for (int i = 0; i < SuperBlock.SIZE; i++) {
            codes[i] = (byte) (Bits.roundAway(x[at + i] * inverse) + 1);
        }
        return d;
    }
}
