package io.llmc4j.engine.quant.packing;

import io.llmc4j.engine.kernel.Parallel;

/** Two 4-bit codes a byte along a row, the even column in the low nibble (NVFP4 and MXFP4 in compressed-tensors). */
public final class NibblePairs {

    private NibblePairs() {
    }

    /**
     * @param codes [rows * cols], 0 to 15; cols even
     * @return [rows * cols / 2]
     */
    public static byte[] pack(int rows, int cols, byte[] codes) {
        check(cols, codes.length, (long) rows * cols);
        byte[] out = new byte[codes.length / 2];
        Parallel.forRange(out.length, 1 << 15, (from, to) -> {
            for (int i = from; i < to; i++) {
                out[i] = (byte) (codes[2 * i] & 15 | codes[2 * i + 1] << 4);
            }
        });
        return out;
    }

    /** Inverse of {@link #pack}: [rows * cols]. */
    public static byte[] unpack(int rows, int cols, byte[] bytes) {
        check(cols, bytes.length, (long) rows * (cols / 2));
        byte[] out = new byte[Math.multiplyExact(rows, cols)];
        Parallel.forRange(bytes.length, 1 << 15, (from, to) -> {
            for (int i = from; i < to; i++) {
                out[2 * i] = (byte) (bytes[i] & 15);
                out[2 * i + 1] = (byte) (bytes[i] >>> 4 & 15);
            }
        });
        return out;
    }

    private static void check(int cols, int found, long wanted) {
        if (cols % 2 != 0 || found != wanted) {
            throw new IllegalArgumentException("expected " + wanted + " elements in rows of an even length, got " + found + " in rows of " + cols);
        }
    }
}
