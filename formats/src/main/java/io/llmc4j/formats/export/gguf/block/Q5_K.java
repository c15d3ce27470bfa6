package io.llmc4j.formats.export.gguf.block;

/** Q5_K: as Q4_K with a fifth bit: bit s of byte i of the mask belongs to element i of sub-block s. */
final class Q5_K implements BlockCodec {

    private static final int BYTES = 176;
    private static final int SCALES = 4;
    private static final int MASK = SCALES + SubScales.BYTES;
    private static final int CODES = MASK + 32;

    @Override
    public void encode(float[] x, int xOff, int n, float[] importance, byte[] out, int outOff) {
        SuperBlock block = FourAndFive.block(31, importance, -0.5f, 15);
        for (int b = 0; b < n / SuperBlock.SIZE; b++) {
            int to = outOff + b * BYTES;
            FourAndFive.quantize(block, x, xOff, b, importance);
            Bits.putHalf(out, to, block.d());
            Bits.putHalf(out, to + 2, block.dmin());
            SubScales.pack(block.scaleCodes(), block.offsetCodes(), out, to + SCALES);
            byte[] codes = block.codes();
            for (int i = 0; i < 32; i++) {
                int mask = 0;
                for (int s = 0; s < 8; s++) {
                    mask |= (codes[32 * s + i] >> 4) << s;
                }
                out[to + MASK + i] = (byte) mask;
            }
            FourAndFive.packNibbles(codes, out, to + CODES);
        }
    }

    @Override
    public void decode(byte[] in, int inOff, int n, float[] out, int outOff) {
        for (int b = 0; b < n / SuperBlock.SIZE; b++) {
            int at = inOff + b * BYTES;
            float d = Bits.half(in, at);
            float dmin = Bits.half(in, at + 2);
            for (int j = 0; j < 8; j++) {
                float scale = d * SubScales.scale(in, at + SCALES, j);
                float offset = dmin * SubScales.minimum(in, at + SCALES, j);
                for (int i = 0; i < 32; i++) {
                    int code = (in[at + CODES + 32 * (j / 2) + i] >> 4 * (j & 1) & 15) | (in[at + MASK + i] >> j & 1) << 4;
                    out[outOff + b * SuperBlock.SIZE + 32 * j + i] = scale * code - offset;
                }
            }
        }
    }
}
