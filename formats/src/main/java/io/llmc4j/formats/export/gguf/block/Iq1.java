package io.llmc4j.formats.export.gguf.block;

/** Decoding that IQ1_S and IQ1_M share. */
final class Iq1 {

    private Iq1() {
    }

    /** Eight values: scale · (ternary + shift). */
    static void decode(int point, float scale, float shift, float[] out, int at) {
        for (int i = 0; i < 8; i++) {
            out[at + i] = scale * (Lattice.IQ1.coordinate(point, i) - 1 + shift);
        }
    }
}
