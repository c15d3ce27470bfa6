package io.llmc4j.engine.quant.packing;

import io.llmc4j.engine.kernel.Parallel;

/**
 * Fixed slots in 32-bit words: floor(32 / b) codes a word, low bits first, no code straddles (LLMC's own writer). For widths that divide 32
 * it is the same as {@link DenseBits}. The last word of a row is filled up with zero codes.
 */
public final class FixedSlots {

    private FixedSlots() {
    }

    /** Words that a row of n codes of b bits takes. */
    public static int words(int n, int bits) {
        int slots = 32 / bits;
        return (n + slots - 1) / slots;
    }

    /**
     * Each row by itself.
     *
     * @param codes [rows * cols] unsigned, below 2^bits
     * @param bits  1 to 8
     * @return [rows * words(cols, bits)]
     */
    public static int[] packRows(int rows, int cols, int bits, byte[] codes) {
        check(bits, codes.length, (long) rows * cols);
        int slots = 32 / bits;
        int mask = (1 << bits) - 1;
        int w = words(cols, bits);
        int[] out = new int[Math.multiplyExact(rows, w)];
        Parallel.forRange(rows, Lines.grain(cols), (from, to) -> {
            for (int r = from; r < to; r++) {
                for (int i = 0; i < w; i++) {
                    int word = 0;
                    int first = i * slots;
                    int n = Math.min(slots, cols - first);
                    for (int j = 0; j < n; j++) {
                        word |= (codes[r * cols + first + j] & mask) << (j * bits);
                    }
                    out[r * w + i] = word;
                }
            }
        });
        return out;
    }

    /** Inverse of {@link #packRows}: [rows * cols]. */
    public static byte[] unpackRows(int rows, int cols, int bits, int[] words) {
        int w = words(cols, bits);
        check(bits, words.length, (long) rows * w);
        int slots = 32 / bits;
        int mask = (1 << bits) - 1;
        byte[] out = new byte[Math.multiplyExact(rows, cols)];
        Parallel.forRange(rows, Lines.grain(cols), (from, to) -> {
            for (int r = from; r < to; r++) {
                for (int i = 0; i < cols; i++) {
                    out[r * cols + i] = (byte) (words[r * w + i / slots] >>> (i % slots * bits) & mask);
                }
            }
        });
        return out;
    }

    private static void check(int bits, int found, long wanted) {
        if (bits < 1 || bits > 8) {
            throw new IllegalArgumentException("codes of " + bits + " bits; 1 to 8 can be packed");
        }
        if (found != wanted) {
            throw new IllegalArgumentException("expected " + wanted + " elements, got " + found);
        }
    }
}
