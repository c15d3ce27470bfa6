package io.llmc4j.formats.export.gguf.block;

/** Q5_1: 32 codes of five bits, a half-precision scale and minimum; value d · code + m. */
final class Q5_1 implements BlockCodec {

    private static final int BLOCK = 32;
    private static final int BYTES = 24;

    @Override
    public void encode(float[] x, int xOff, int n, float[] importance, byte[] out, int outOff) {
        AffineBlock block = new AffineBlock(x, xOff, n, 31, importance);
        for (int b = 0; b < n / BLOCK; b++) {
            int to = outOff + b * BYTES;
            block.quantize(b);
            Bits.putHalf(out, to, block.scale());
            Bits.putHalf(out, to + 2, block.minimum());
            Bits.putInt(out, to + 4, Nibbles.fifthBits(block.codes()));
            Nibbles.pack(block.codes(), 0, out, to + 8);
        }
    }

    @Override
    public void decode(byte[] in, int inOff, int n, float[] out, int outOff) {
        for (int b = 0; b < n / BLOCK; b++) {
            int at = inOff + b * BYTES;
            int to = outOff + b * BLOCK;
            float d = Bits.half(in, at);
            float m = Bits.half(in, at + 2);
            int high = Bits.intAt(in, at + 4);
            for (int j = 0; j < 16; j++) {
                out[to + j] = (Nibbles.low(in, at + 8 + j) | (high >>> j & 1) << 4) * d + m;
                out[to + j + 16] = (Nibbles.high(in, at + 8 + j) | (high >>> (j + 16) & 1) << 4) * d + m;
            }
        }
    }
}
