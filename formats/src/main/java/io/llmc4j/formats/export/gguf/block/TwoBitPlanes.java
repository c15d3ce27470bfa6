package io.llmc4j.formats.export.gguf.block;

/** Two-bit fields of 256 elements in 64 bytes: in half h, shift 2j of byte b is element 128 h + 32 j + b. */
final class TwoBitPlanes {

    private TwoBitPlanes() {
    }

    /** The low two bits of each code. */
    static void pack(byte[] codes, byte[] out, int at) {
        for (int h = 0; h < 2; h++) {
            for (int b = 0; b < 32; b++) {
                int e = 128 * h + b;
                out[at + 32 * h + b] = (byte) ((codes[e] & 3) | (codes[e + 32] & 3) << 2 | (codes[e + 64] & 3) << 4 | (codes[e + 96] & 3) << 6);
            }
        }
    }

    static int get(byte[] in, int at, int element) {
        return (in[at + (element >> 7) * 32 + (element & 31)] >> 2 * ((element >> 5) & 3)) & 3;
    }
}
