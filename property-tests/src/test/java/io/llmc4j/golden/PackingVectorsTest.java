package io.llmc4j.golden;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.llmc4j.engine.quant.packing.AwqNibbles;
import io.llmc4j.engine.quant.packing.CodeOffset;
import io.llmc4j.engine.quant.packing.DenseBits;
import io.llmc4j.engine.quant.packing.FixedSlots;
import io.llmc4j.engine.quant.packing.NibblePairs;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** Words that the formats' own documents and tools print. */
class PackingVectorsTest {

    private static final byte[] EIGHT = {0, 1, 2, 3, 4, 5, 6, 7};

    @Test
    void awqInterleavesEightChannels() {
        assertArrayEquals(new int[] {0x75316420}, AwqNibbles.pack(1, 8, EIGHT));
        assertArrayEquals(EIGHT, AwqNibbles.unpack(1, 8, new int[] {0x75316420}));
    }

    @Test
    void naturalOrder() {
        assertArrayEquals(new int[] {0x76543210}, DenseBits.packRows(1, 8, 4, EIGHT));
        assertArrayEquals(new int[] {0x76543210}, FixedSlots.packRows(1, 8, 4, EIGHT));
        assertArrayEquals(new int[] {0x76543210}, DenseBits.packColumns(8, 1, 4, EIGHT));
        assertArrayEquals(new byte[] {0x10, 0x32, 0x54, 0x76}, NibblePairs.pack(1, 8, EIGHT));
    }

    @Test
    void signedCodesBecomeUnsigned() {
        byte[] signed = {-8, -7, -6, -5, -4, -3, -2, -1};
        assertArrayEquals(EIGHT, CodeOffset.toUnsigned(signed, 4));
        assertArrayEquals(new int[] {0x76543210}, DenseBits.packRows(1, 8, 4, CodeOffset.toUnsigned(signed, 4)));
    }

    /** Version 1 stores zero - 1 in every field; a true zero of 0 wraps inside its field and does not borrow. */
    @Test
    void gptqZeros() {
        float[] eights = new float[8];
        Arrays.fill(eights, 8f);
        assertArrayEquals(new int[] {0x77777777}, DenseBits.packRows(1, 8, 4, CodeOffset.ofZeros(eights, -1, 4)));
        assertArrayEquals(new int[] {-2004318072}, DenseBits.packRows(1, 8, 4, CodeOffset.ofZeros(eights, 0, 4)));
        float[] mixed = {0, 8, 0, 8, 0, 8, 0, 8};
        assertArrayEquals(new int[] {0x7f7f7f7f}, DenseBits.packRows(1, 8, 4, CodeOffset.ofZeros(mixed, -1, 4)));
        assertArrayEquals(mixed, CodeOffset.toZeros(DenseBits.unpackRows(1, 8, 4, new int[] {0x7f7f7f7f}), -1, 4));
    }

    /** Minus one in all 32 three-bit fields: the three constants that GPTQ tools add word by word. */
    @Test
    void gptqThreeBits() {
        byte[] ones = new byte[32];
        Arrays.fill(ones, (byte) 1);
        int[] constants = {0b01001001001001001001001001001001, 0b10010010010010010010010010010010, 0b00100100100100100100100100100100};
        assertArrayEquals(constants, DenseBits.packColumns(32, 1, 3, ones));
    }

    /** Codes 10 and 21 of a three-bit stream straddle words. */
    @Test
    void threeBitsStraddle() {
        byte[] codes = new byte[32];
        codes[10] = 7;
        codes[21] = 7;
        assertArrayEquals(new int[] {3 << 30, 1 | 1 << 31, 3}, DenseBits.packColumns(32, 1, 3, codes));
    }

    /** LLMC's writer leaves the two high bits of a word of three-bit codes empty. */
    @Test
    void fixedSlotsOfThreeBits() {
        byte[] codes = new byte[11];
        Arrays.fill(codes, (byte) 7);
        assertArrayEquals(new int[] {0x3fffffff, 7}, FixedSlots.packRows(1, 11, 3, codes));
        assertEquals(4, FixedSlots.words(32, 3));
        assertEquals(3, DenseBits.words(32, 3));
    }
}
