package io.llmc4j.formats.export.gguf.block;

/** Q4_K: super-blocks of 256, eight sub-blocks with six-bit scales and minima; value d · scale · code - dmin · min. */
final class Q4_K implements BlockCodec {

    private static final int BYTES = 144;
    private static final int SCALES = 4;
    private static final int CODES = SCALES + SubScales.BYTES;

    @Override
    public void encode(float[] x, int xOff, int n, float[] importance, byte[] out, int outOff) {
        SuperBlock block = FourAndFive.block(15, importance, -1f, 20);
        for (int b = 0; b < n / SuperBlock.SIZE; b++) {
            int to = outOff + b * BYTES;
            FourAndFive.quantize(block, x, xOff, b, importance);
            Bits.putHalf(out, to, block.d());
            Bits.putHalf(out, to + 2, block.dmin());
            SubScales.pack(block.scaleCodes(), block.offsetCodes(), out, to + SCALES);
            FourAndFive.packNibbles(block.codes(), out, to + CODES);
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
                    int code = in[at + CODES + 32 * (j / 2) + i] >> 4 * (j & 1) & 15;
                    out[outOff + b * SuperBlock.SIZE + 32 * j + i] = scale * code - offset;
                }
            }
        }
    }
}
