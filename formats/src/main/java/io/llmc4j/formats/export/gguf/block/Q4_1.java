package io.llmc4j.formats.export.gguf.block;

/** Q4_1: 32 codes of four bits, a half-precision scale and minimum; value d · code + m. */
final class Q4_1 implements BlockCodec {

    private static final int BLOCK = 32;
    private static final int BYTES = 20;

    @Override
    public void encode(float[] x, int xOff, int n, float[] importance, byte[] out, int outOff) {
        AffineBlock block = new AffineBlock(x, xOff, n, 15, importance);
        for (int b = 0; b < n / BLOCK; b++) {
            int to = outOff + b * BYTES;
            block.quantize(b);
            Bits.putHalf(out, to, block.scale());
            Bits.putHalf(out, to + 2, block.minimum());
            Nibbles.pack(block.codes(), 0, out, to + 4);
        }
    }

    @Override
    public void decode(byte[] in, int inOff, int n, float[] out, int outOff) {
        for (int b = 0; b < n / BLOCK; b++) {
            int at = inOff + b * BYTES;
            int to = outOff + b * BLOCK;
            float d = Bits.half(in, at);
            float m = Bits.half(in, at + 2);
            for (int j = 0; j < 16; j++) {
                out[to + j] = Nibbles.low(in, at + 4 + j) * d + m;
                out[to + j + 16] = Nibbles.high(in, at + 4 + j) * d + m;
            }
        }
    }
}
