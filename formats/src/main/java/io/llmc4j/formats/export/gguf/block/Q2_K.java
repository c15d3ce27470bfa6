package io.llmc4j.formats.export.gguf.block;

/** Q2_K: super-blocks of 256, sixteen sub-blocks with four-bit scales and minima; value d · scale · code - dmin · min. */
final class Q2_K implements BlockCodec {

    private static final int BYTES = 84;
    private static final int CODES = 16;
    private static final int SCALES = 80;

    @Override
    public void encode(float[] x, int xOff, int n, float[] importance, byte[] out, int outOff) {
        boolean plain = importance.length == 0;
        SuperBlock block = new SuperBlock(16, 3, 15,
                plain ? new AffineSearch(16, 3, -0.5f, 0.1f, 15, true) : new AffineSearch(16, 3, -0.9f, 0.05f, 36, false));
        for (int b = 0; b < n / SuperBlock.SIZE; b++) {
            int at = xOff + b * SuperBlock.SIZE;
            int to = outOff + b * BYTES;
            if (plain) {
                block.quantize(x, at, Q2_K::magnitudes);
            } else {
                block.quantize(x, at, importance, b * SuperBlock.SIZE, Bits.sumOfSquares(x, at, SuperBlock.SIZE) / SuperBlock.SIZE);
            }
            for (int j = 0; j < 16; j++) {
                out[to + j] = (byte) (block.scaleCodes()[j] | block.offsetCodes()[j] << 4);
            }
            TwoBitPlanes.pack(block.codes(), out, to + CODES);
            Bits.putHalf(out, to + SCALES, block.d());
            Bits.putHalf(out, to + SCALES + 2, block.dmin());
        }
    }

    private static void magnitudes(float[] x, int at, int n, float[] out) {
        for (int i = 0; i < n; i++) {
            out[i] = Math.abs(x[at + i]);
        }
    }

    @Override
    public void decode(byte[] in, int inOff, int n, float[] out, int outOff) {
        for (int b = 0; b < n / SuperBlock.SIZE; b++) {
            int at = inOff + b * BYTES;
            float d = Bits.half(in, at + SCALES);
            float dmin = Bits.half(in, at + SCALES + 2);
            for (int j = 0; j < 16; j++) {
                float scale = d * Nibbles.low(in, at + j);
                float offset = dmin * Nibbles.high(in, at + j);
                for (int e = 16 * j; e < 16 * (j + 1); e++) {
                    out[outOff + b * SuperBlock.SIZE + e] = scale * TwoBitPlanes.get(in, at + CODES, e) - offset;
                }
            }
        }
    }
}
