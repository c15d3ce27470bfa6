package io.llmc4j.formats.export.gguf.block;

/** Q4_0: 32 codes of four bits and a half-precision scale; value d · (code - 8). */
final class Q4_0 implements BlockCodec {

    private static final int BLOCK = 32;
    private static final int BYTES = 18;

    @Override
    public void encode(float[] x, int xOff, int n, float[] importance, byte[] out, int outOff) {
        byte[] codes = new byte[BLOCK];
        float[] weight = new float[BLOCK];
        float sigma2 = importance.length == 0 ? 0f : Bits.sumOfSquares(x, xOff, n) / n;
        for (int b = 0; b < n / BLOCK; b++) {
            int at = xOff + b * BLOCK;
            int to = outOff + b * BYTES;
            float d;
            if (importance.length == 0) {
                d = SymmetricRange.codesByExtreme(x, at, BLOCK, 8, codes);
            } else {
                Bits.weigh(x, at, BLOCK, importance, b * BLOCK, sigma2, weight);
                d = SymmetricSearch.search(BLOCK, 8, x, at, codes, 0, weight, 0);
            }
            Bits.putHalf(out, to, d);
            Nibbles.pack(codes, 0, out, to + 2);
        }
    }

    @Override
    public void decode(byte[] in, int inOff, int n, float[] out, int outOff) {
        for (int b = 0; b < n / BLOCK; b++) {
            int at = inOff + b * BYTES;
            int to = outOff + b * BLOCK;
            float d = Bits.half(in, at);
            for (int j = 0; j < 16; j++) {
                out[to + j] = (Nibbles.low(in, at + 2 + j) - 8) * d;
                out[to + j + 16] = (Nibbles.high(in, at + 2 + j) - 8) * d;
            }
        }
    }
}
