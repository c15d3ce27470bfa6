package io.llmc4j.formats.export.gguf.block;

/** What the IQ2 types share when decoding: magnitudes 8, 25, 43 and scales (1/2 + code) / 4. */
final class Iq2 {

    private static final float[] MAGNITUDES = {8, 25, 43};

    private Iq2() {
    }

    static float scale(float d, int code) {
        return d * (0.5f + code) * 0.25f;
    }

    /** Eight values of one lattice point. */
    static void decode(Lattice lattice, int point, int signs, float scale, float[] out, int at) {
        for (int i = 0; i < 8; i++) {
            out[at + i] = IqSigns.apply(scale * MAGNITUDES[lattice.coordinate(point, i)], signs, i);
        }
    }
}
