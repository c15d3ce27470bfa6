package io.llmc4j.formats.export.gguf.block;

/** The twelve bytes of eight six-bit scales and eight six-bit minima that Q4_K and Q5_K share. */
final class SubScales {

    static final int BYTES = 12;

    private SubScales() {
    }

    /** All eight, each 0 … 63. */
    static void pack(byte[] scales, byte[] minima, byte[] out, int at) {
        for (int j = 0; j < 4; j++) {
            int highScale = scales[j + 4];
            int highMin = minima[j + 4];
            out[at + j] = (byte) (scales[j] | (highScale >> 4) << 6);
            out[at + j + 4] = (byte) (minima[j] | (highMin >> 4) << 6);
            out[at + j + 8] = (byte) ((highScale & 15) | (highMin & 15) << 4);
        }
    }

    static int scale(byte[] in, int at, int j) {
        return j < 4 ? in[at + j] & 63 : (in[at + j + 4] & 15) | ((in[at + j - 4] >> 6) & 3) << 4;
    }

    static int minimum(byte[] in, int at, int j) {
        return j < 4 ? in[at + j + 4] & 63 : ((in[at + j + 4] >> 4) & 15) | ((in[at + j] >> 6) & 3) << 4;
    }
}
