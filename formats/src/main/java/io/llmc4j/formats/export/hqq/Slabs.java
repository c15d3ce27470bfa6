package io.llmc4j.formats.export.hqq;

/**
 * HQQ packs along the first dimension of a [rows, cols] matrix in equal slabs, the first slab in the high bits: 4 bits in two slabs a byte, 2 bits in
 * four, 1 bit in eight, 8 bits alone; 3 bits in ten slabs of a 32-bit word at shifts 27, 24, …, 0, rows filled up to a multiple of ten.
 */
final class Slabs {

    private Slabs() {
    }

    static int slabs(int bits) {
        return bits == 3 ? 10 : 8 / bits;
    }

    /** Rows of the packed matrix. */
    static int packedRows(int rows, int bits) {
        return Math.ceilDiv(rows, slabs(bits));
    }

    private static int shift(int slab, int bits) {
        return (slabs(bits) - 1 - slab) * bits;
    }

    /** @return [packedRows * cols] words, of which bytes are the low eight bits unless bits is 3 */
    static int[] pack(int rows, int cols, int bits, byte[] codes) {
        int step = packedRows(rows, bits);
        int[] out = new int[step * cols];
        int mask = (1 << bits) - 1;
        for (int r = 0; r < rows; r++) {
            int shift = shift(r / step, bits);
            int to = r % step * cols;
            for (int c = 0; c < cols; c++) {
                out[to + c] |= (codes[r * cols + c] & mask) << shift;
            }
        }
        return out;
    }

    /** Inverse of {@link #pack}. */
    static byte[] unpack(int rows, int cols, int bits, int[] words) {
        int step = packedRows(rows, bits);
        byte[] out = new byte[Math.multiplyExact(rows, cols)];
        int mask = (1 << bits) - 1;
        for (int r = 0; r < rows; r++) {
            int shift = shift(r / step, bits);
            int from = r % step * cols;
            for (int c = 0; c < cols; c++) {
                out[r * cols + c] = (byte) (words[from + c] >>> shift & mask);
            }
        }
        return out;
    }
}
