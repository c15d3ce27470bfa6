package io.llmc4j.engine.quant.packing;

import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.kernel.StoredFloats;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * A continuous little-end bit stream in 32-bit words: code i occupies bits i * b to (i + 1) * b - 1, and may straddle two words
 * (compressed-tensors, any width; GPTQ, along the rows, 2, 3, 4 and 8 bits). The last word is filled up with zero bits.
 */
public final class DenseBits {

    private static final ValueLayout.OfInt WORD = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private DenseBits() {
    }

    /** Words that n codes of b bits take. */
    public static int words(int n, int bits) {
        return (int) (((long) n * bits + 31) / 32);
    }

    /**
     * Each row by itself.
     *
     * @param codes [rows * cols] unsigned, below 2^bits (higher bits are cut off)
     * @param bits  1 to 8
     * @return [rows * words(cols, bits)]
     */
    public static int[] packRows(int rows, int cols, int bits, byte[] codes) {
        check(rows, cols, bits, codes.length, (long) rows * cols);
        int w = words(cols, bits);
        int[] out = new int[Math.multiplyExact(rows, w)];
        Parallel.forRange(rows, Lines.grain(cols), (from, to) -> {
            for (int r = from; r < to; r++) {
                pack(cols, bits, codes, r * cols, 1, out, r * w, 1);
            }
        });
        return out;
    }

    /** {@link #packRows(int, int, int, byte[])} of the first rows of {@code codes} into {@code out} from {@code at}, on this thread. */
    public static void packRows(int rows, int cols, int bits, byte[] codes, int[] out, int at) {
        int w = words(cols, bits);
        for (int r = 0; r < rows; r++) {
            pack(cols, bits, codes, r * cols, 1, out, at + r * w, 1);
        }
    }

    /** Inverse of {@link #packRows}: [rows * cols]. */
    public static byte[] unpackRows(int rows, int cols, int bits, int[] words) {
        int w = words(cols, bits);
        check(rows, cols, bits, words.length, (long) rows * w);
        byte[] out = new byte[Math.multiplyExact(rows, cols)];
        Parallel.forRange(rows, Lines.grain(cols), (from, to) -> {
            for (int r = from; r < to; r++) {
                unpack(cols, bits, words, r * w, 1, out, r * cols, 1);
            }
        });
        return out;
    }

    /** Each column by itself, down the rows: [words(rows, bits) * cols]. */
    public static int[] packColumns(int rows, int cols, int bits, byte[] codes) {
        check(rows, cols, bits, codes.length, (long) rows * cols);
        int[] out = new int[Math.multiplyExact(words(rows, bits), cols)];
        if (32 % bits == 0) {
            int each = 32 / bits;
            Parallel.forRange(words(rows, bits), Lines.grain(each * cols), (from, to) -> {
                for (int w = from; w < to; w++) {
                    for (int j = 0; j < each && w * each + j < rows; j++) {
                        addRow(cols, codes, (w * each + j) * cols, (1 << bits) - 1, j * bits, out, w * cols);
                    }
                }
            });
            return out;
        }
        Parallel.forRange(cols, Lines.grain(rows), (from, to) -> {
            for (int c = from; c < to; c++) {
                pack(rows, bits, codes, c, cols, out, c, cols);
            }
        });
        return out;
    }

    /** One row of codes into its place of a row of words. A leaf of its own, so that the compiler vectorizes it. */
    private static void addRow(int cols, byte[] codes, int from, int mask, int shift, int[] out, int at) {
        for (int c = 0; c < cols; c++) {
            out[at + c] |= (codes[from + c] & mask) << shift;
        }
    }

    /** Inverse of {@link #packColumns}: [rows * cols]. */
    public static byte[] unpackColumns(int rows, int cols, int bits, int[] words) {
        check(rows, cols, bits, words.length, (long) words(rows, bits) * cols);
        byte[] out = new byte[Math.multiplyExact(rows, cols)];
        if (32 % bits == 0) {
            int each = 32 / bits;
            Parallel.forRange(rows, Lines.grain(cols), (from, to) -> {
                for (int r = from; r < to; r++) {
                    takeRow(cols, words, r / each * cols, (1 << bits) - 1, r % each * bits, out, r * cols);
                }
            });
            return out;
        }
        Parallel.forRange(cols, Lines.grain(rows), (from, to) -> {
            for (int c = from; c < to; c++) {
                unpack(rows, bits, words, c, cols, out, c, cols);
            }
        });
        return out;
    }

    private static void takeRow(int cols, int[] words, int from, int mask, int shift, byte[] out, int at) {
        for (int c = 0; c < cols; c++) {
            out[at + c] = (byte) (words[from + c] >>> shift & mask);
        }
    }

    private static void pack(int n, int bits, byte[] codes, int off, int stride, int[] out, int outOff, int outStride) {
        int mask = (1 << bits) - 1;
        long pending = 0;
        int filled = 0;
        int at = outOff;
        int first = 0;
        if (stride == 1 && outStride == 1 && bits == 4) {
            first = n & -8;
            StoredFloats.get().packNibbles(first / 8, codes, off, out, at);
            at += first / 8;
        } else if (stride == 1 && outStride == 1 && bits == 8) {
            first = n & -4;
            MemorySegment.copy(MemorySegment.ofArray(codes), WORD, off, out, at, first / 4);
            at += first / 4;
        }
        for (int i = first; i < n; i++) {
            pending |= (long) (codes[off + i * stride] & mask) << filled;
            filled += bits;
            if (filled >= 32) {
                out[at] = (int) pending;
                at += outStride;
                pending >>>= 32;
                filled -= 32;
            }
        }
        if (filled > 0) {
            out[at] = (int) pending;
        }
    }

    private static void unpack(int n, int bits, int[] words, int off, int stride, byte[] out, int outOff, int outStride) {
        int mask = (1 << bits) - 1;
        long pending = 0;
        int filled = 0;
        int at = off;
        int first = 0;
        if (stride == 1 && outStride == 1 && bits == 4) {
            first = n & -8;
            StoredFloats.get().unpackNibbles(first / 8, words, at, out, outOff);
            at += first / 8;
        } else if (stride == 1 && outStride == 1 && bits == 8) {
            first = n & -4;
            MemorySegment.copy(words, at, MemorySegment.ofArray(out), WORD, outOff, first / 4);
            at += first / 4;
        }
        for (int i = first; i < n; i++) {
            if (filled < bits) {
                pending |= (words[at] & 0xffffffffL) << filled;
                at += stride;
                filled += 32;
            }
            out[outOff + i * outStride] = (byte) (pending & mask);
            pending >>>= bits;
            filled -= bits;
        }
    }

    private static void check(int rows, int cols, int bits, int found, long wanted) {
        if (bits < 1 || bits > 8) {
            throw new IllegalArgumentException("codes of " + bits + " bits; 1 to 8 can be packed");
        }
        if (found != wanted) {
            throw new IllegalArgumentException("[" + rows + ", " + cols + "] at " + bits + " bits needs " + wanted + " elements, got " + found);
        }
    }
}
