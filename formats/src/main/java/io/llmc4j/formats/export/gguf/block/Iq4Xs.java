package io.llmc4j.formats.export.gguf.block;

/** IQ4_XS: super-blocks of 256, eight sub-blocks on the IQ4_NL grid with signed six-bit scales; value d · (scale - 32) · grid[code]. */
final class Iq4Xs implements BlockCodec {

    private static final int BYTES = 136;
    private static final int HIGH_SCALES = 2;
    private static final int LOW_SCALES = 4;
    private static final int CODES = 8;

    @Override
    public void encode(float[] x, int xOff, int n, float[] importance, byte[] out, int outOff) {
        float[] weight = new float[32];
        float[] scales = new float[8];
        byte[] codes = new byte[32];
        for (int b = 0; b < n / SuperBlock.SIZE; b++) {
            int at = xOff + b * SuperBlock.SIZE;
            int to = outOff + b * BYTES;
            float sigma2 = Bits.sumOfSquares(x, at, SuperBlock.SIZE) * (2f / SuperBlock.SIZE);
            for (int j = 0; j < 8; j++) {
                Iq4.weights(x, at + 32 * j, importance, b * SuperBlock.SIZE + 32 * j, sigma2, weight);
                scales[j] = Iq4.scale(x, at + 32 * j, weight);
            }
            float d = -SymmetricSearch.extreme(8, scales, 0) / 32;
            float inverse = d != 0f ? 1f / d : 0f;
            int high = 0;
            int low = 0;
            for (int j = 0; j < 8; j++) {
                int l = Bits.nearest(inverse * scales[j], -32, 31);
                float step = d * l;
                float inverseStep = step != 0f ? 1f / step : 0f;
                for (int i = 0; i < 32; i++) {
                    codes[i] = (byte) Iq4.nearest(inverseStep * x[at + 32 * j + i]);
                }
                Nibbles.pack(codes, 0, out, to + CODES + 16 * j);
                low |= (l + 32 & 15) << 4 * j;
                high |= (l + 32 >> 4) << 2 * j;
            }
            Bits.putHalf(out, to, d);
            Bits.putShort(out, to + HIGH_SCALES, high);
            Bits.putInt(out, to + LOW_SCALES, low);
        }
    }

    @Override
    public void decode(byte[] in, int inOff, int n, float[] out, int outOff) {
        for (int b = 0; b < n / SuperBlock.SIZE; b++) {
            int at = inOff + b * BYTES;
            float d = Bits.half(in, at);
            int high = Bits.shortAt(in, at + HIGH_SCALES);
            int low = Bits.intAt(in, at + LOW_SCALES);
            for (int j = 0; j < 8; j++) {
                float step = d * (((low >>> 4 * j & 15) | (high >> 2 * j & 3) << 4) - 32);
                int to = outOff + b * SuperBlock.SIZE + 32 * j;
                for (int i = 0; i < 16; i++) {
                    out[to + i] = step * Iq4.VALUES[Nibbles.low(in, at + CODES + 16 * j + i)];
                    out[to + i + 16] = step * Iq4.VALUES[Nibbles.high(in, at + CODES + 16 * j + i)];
                }
            }
        }
    }
}
