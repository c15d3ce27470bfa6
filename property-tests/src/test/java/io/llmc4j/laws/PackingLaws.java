package io.llmc4j.laws;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.llmc4j.engine.quant.packing.AwqNibbles;
import io.llmc4j.engine.quant.packing.CodeOffset;
import io.llmc4j.engine.quant.packing.DenseBits;
import io.llmc4j.engine.quant.packing.FixedSlots;
import io.llmc4j.engine.quant.packing.NibblePairs;
import java.math.BigInteger;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

/** What is packed is what is unpacked, for every width, layout and shape; and a dense row is one long number. */
class PackingLaws {

    @Property(tries = 200)
    void denseRowsComeBack(@ForAll @IntRange(min = 1, max = 8) int bits, @ForAll @IntRange(min = 0, max = 9) int rows,
                           @ForAll @IntRange(min = 1, max = 140) int cols, @ForAll long seed) {
        byte[] codes = codes(rows * cols, bits, seed);
        assertArrayEquals(codes, DenseBits.unpackRows(rows, cols, bits, DenseBits.packRows(rows, cols, bits, codes)));
    }

    @Property(tries = 200)
    void denseColumnsComeBack(@ForAll @IntRange(min = 1, max = 8) int bits, @ForAll @IntRange(min = 1, max = 140) int rows,
                              @ForAll @IntRange(min = 1, max = 9) int cols, @ForAll long seed) {
        byte[] codes = codes(rows * cols, bits, seed);
        assertArrayEquals(codes, DenseBits.unpackColumns(rows, cols, bits, DenseBits.packColumns(rows, cols, bits, codes)));
    }

    @Property(tries = 200)
    void fixedSlotsComeBack(@ForAll @IntRange(min = 1, max = 8) int bits, @ForAll @IntRange(min = 0, max = 9) int rows,
                            @ForAll @IntRange(min = 1, max = 140) int cols, @ForAll long seed) {
        byte[] codes = codes(rows * cols, bits, seed);
        assertArrayEquals(codes, FixedSlots.unpackRows(rows, cols, bits, FixedSlots.packRows(rows, cols, bits, codes)));
    }

    @Property(tries = 100)
    void nibblesComeBack(@ForAll @IntRange(min = 0, max = 9) int rows, @ForAll @IntRange(min = 1, max = 40) int eighths, @ForAll long seed) {
        byte[] codes = codes(rows * eighths * 8, 4, seed);
        assertArrayEquals(codes, AwqNibbles.unpack(rows, eighths * 8, AwqNibbles.pack(rows, eighths * 8, codes)));
        assertArrayEquals(codes, NibblePairs.unpack(rows, eighths * 8, NibblePairs.pack(rows, eighths * 8, codes)));
    }

    /** sum of code i times 2^(b i), as the words read in order from the low end. */
    @Property(tries = 100)
    void aDenseRowIsOneNumber(@ForAll @IntRange(min = 1, max = 8) int bits, @ForAll @IntRange(min = 1, max = 140) int cols, @ForAll long seed) {
        byte[] codes = codes(cols, bits, seed);
        BigInteger wanted = BigInteger.ZERO;
        for (int i = 0; i < cols; i++) {
            wanted = wanted.or(BigInteger.valueOf(codes[i] & 0xff).shiftLeft(bits * i));
        }
        int[] words = DenseBits.packRows(1, cols, bits, codes);
        BigInteger got = BigInteger.ZERO;
        for (int i = 0; i < words.length; i++) {
            got = got.or(BigInteger.valueOf(words[i] & 0xffffffffL).shiftLeft(32 * i));
        }
        assertEquals(wanted, got);
        assertEquals((cols * bits + 31) / 32, words.length);
    }

    @Property(tries = 60)
    void widthsThatDivide32AreTheSameBothWays(@ForAll @IntRange(min = 0, max = 3) int power, @ForAll @IntRange(min = 1, max = 140) int cols, @ForAll long seed) {
        byte[] codes = codes(3 * cols, 1 << power, seed);
        assertArrayEquals(FixedSlots.packRows(3, cols, 1 << power, codes), DenseBits.packRows(3, cols, 1 << power, codes));
    }

    @Property(tries = 60)
    void offsetsComeBack(@ForAll @IntRange(min = 2, max = 8) int bits, @ForAll @IntRange(min = -1, max = 1) int offset, @ForAll long seed) {
        byte[] unsigned = codes(50, bits, seed);
        assertArrayEquals(unsigned, CodeOffset.toUnsigned(CodeOffset.toSigned(unsigned, bits), bits));
        float[] zeros = new float[unsigned.length];
        for (int i = 0; i < zeros.length; i++) {
            zeros[i] = unsigned[i] & 0xff;
        }
        assertArrayEquals(zeros, CodeOffset.toZeros(CodeOffset.ofZeros(zeros, offset, bits), offset, bits));
    }

    private static byte[] codes(int n, int bits, long seed) {
        byte[] out = new byte[n];
        new Random(seed).nextBytes(out);
        for (int i = 0; i < n; i++) {
            out[i] &= (byte) ((1 << bits) - 1);
        }
        return out;
    }
}
