package io.llmc4j.formats.export.gguf.block;

/** What Q4_K and Q5_K share: sub-blocks of 32, their weights, and the order of nibbles. */
final class FourAndFive {

    private FourAndFive() {
    }

    /** @param first,steps the search without importance */
    static SuperBlock block(int maxCode, float[] importance, float first, int steps) {
        return new SuperBlock(32, maxCode, 63, importance.length == 0 ? new AffineSearch(32, maxCode, first, 0.1f, steps, false)
                : new AffineSearch(32, maxCode, -0.9f, 0.05f, 36, false));
    }

    static void quantize(SuperBlock block, float[] x, int xOff, int b, float[] importance) {
        int at = xOff + b * SuperBlock.SIZE;
        if (importance.length == 0) {
            block.quantize(x, at, FourAndFive::magnitudesAboveMean);
        } else {
            block.quantize(x, at, importance, b * SuperBlock.SIZE, 2 * Bits.sumOfSquares(x, at, SuperBlock.SIZE) / SuperBlock.SIZE);
        }
    }

    /** Root mean square plus magnitude. */
    private static void magnitudesAboveMean(float[] x, int at, int n, float[] out) {
        float rms = (float) Math.sqrt(Bits.sumOfSquares(x, at, n) / n);
        for (int i = 0; i < n; i++) {
            out[i] = rms + Math.abs(x[at + i]);
        }
    }

    /** Four chunks of 32 bytes: low nibbles are elements 64 c …, high nibbles 64 c + 32 …. */
    static void packNibbles(byte[] codes, byte[] out, int at) {
        for (int c = 0; c < 4; c++) {
            for (int i = 0; i < 32; i++) {
                out[at + 32 * c + i] = (byte) ((codes[64 * c + i] & 15) | (codes[64 * c + 32 + i] & 15) << 4);
            }
        }
    }
}
