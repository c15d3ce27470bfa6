package io.llmc4j.engine.quant.packing;

import io.llmc4j.engine.kernel.Parallel;

/**
 * AutoAWQ's words (version gemm): eight consecutive columns in one 32-bit word, nibble k holding column {@link #ORDER}[k] of the eight.
 * Weights come as [in, out], zero points as [groups, out].
 */
public final class AwqNibbles {

    private static final int[] ORDER = {0, 2, 4, 6, 1, 3, 5, 7};

    private AwqNibbles() {
    }

    /**
     * @param codes [rows * cols], 0 to 15; cols a multiple of 8
     * @return [rows * cols / 8]
     */
    public static int[] pack(int rows, int cols, byte[] codes) {
        check(rows, cols, codes.length, (long) rows * cols);
        int[] out = new int[codes.length / 8];
        Parallel.forRange(rows, Lines.grain(cols), (from, to) -> {
            for (int i = from * cols / 8; i < to * cols / 8; i++) {
                int word = 0;
                for (int k = 0; k < 8; k++) {
                    word |= (codes[8 * i + ORDER[k]] & 15) << (4 * k);
                }
                out[i] = word;
            }
        });
        return out;
    }

    /** Inverse of {@link #pack}: [rows * cols]. */
    public static byte[] unpack(int rows, int cols, int[] words) {
        check(rows, cols, words.length, (long) rows * (cols / 8));
        byte[] out = new byte[Math.multiplyExact(rows, cols)];
        Parallel.forRange(rows, Lines.grain(cols), (from, to) -> {
            for (int i = from * cols / 8; i < to * cols / 8; i++) {
                for (int k = 0; k < 8; k++) {
                    out[8 * i + ORDER[k]] = (byte) (words[i] >>> (4 * k) & 15);
                }
            }
        });
        return out;
    }

    private static void check(int rows, int cols, int found, long wanted) {
        if (cols % 8 != 0 || found != wanted) {
            throw new IllegalArgumentException("[" + rows + ", " + cols + "] with " + found + " elements; columns must be a multiple of 8");
        }
    }
}
