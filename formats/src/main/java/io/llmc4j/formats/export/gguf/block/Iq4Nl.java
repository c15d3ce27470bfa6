package io.llmc4j.formats.export.gguf.block;

/** IQ4_NL: 32 codes on a non-linear grid and a half-precision scale; value d · grid[code]. */
final class Iq4Nl implements BlockCodec {

    private static final int BLOCK = 32;
    private static final int BYTES = 18;

    @Override
    public void encode(float[] x, int xOff, int n, float[] importance, byte[] out, int outOff) {
        float[] weight = new float[BLOCK];
        byte[] codes = new byte[BLOCK];
        for (int b = 0; b < n / BLOCK; b++) {
            int at = xOff + b * BLOCK;
            float sigma2 = Bits.sumOfSquares(x, at, BLOCK) * (2f / BLOCK);
            Iq4.weights(x, at, importance, b * BLOCK, sigma2, weight);
            float d = Iq4.scale(x, at, weight);
            float inverse = d != 0f ? 1f / d : 0f;
            for (int j = 0; j < BLOCK; j++) {
                codes[j] = (byte) Iq4.nearest(inverse * x[at + j]);
            }
            Bits.putHalf(out, outOff + b * BYTES, d);
            Nibbles.pack(codes, 0, out, outOff + b * BYTES + 2);
        }
    }

    @Override
    public void decode(byte[] in, int inOff, int n, float[] out, int outOff) {
        for (int b = 0; b < n / BLOCK; b++) {
            int at = inOff + b * BYTES;
            int to = outOff + b * BLOCK;
            float d = Bits.half(in, at);
            for (int j = 0; j < 16; j++) {
                out[to + j] = d * Iq4.VALUES[Nibbles.low(in, at + 2 + j)];
                out[to + j + 16] = d * Iq4.VALUES[Nibbles.high(in, at + 2 + j)];
            }
        }
    }
}
