package io.llmc4j.formats.export.gguf.block;

/** The nibble order of the 32-element types: byte j holds element j low and element j + 16 high; and the fifth bits of Q5_0 and Q5_1. */
final class Nibbles {

    private Nibbles() {
    }

    /** Low four bits of 32 codes into 16 bytes. */
    static void pack(byte[] codes, int at, byte[] out, int outOff) {
        for (int j = 0; j < 16; j++) {
            out[outOff + j] = (byte) ((codes[at + j] & 15) | (codes[at + j + 16] & 15) << 4);
        }
    }

    static int low(byte[] in, int at) {
        return in[at] & 15;
    }

    static int high(byte[] in, int at) {
        return (in[at] >> 4) & 15;
    }

    /** Bit j: the fifth bit of code j. */
    static int fifthBits(byte[] codes) {
        int bits = 0;
        for (int j = 0; j < 32; j++) {
            bits |= ((codes[j] >> 4) & 1) << j;
        }
        return bits;
    }
}
