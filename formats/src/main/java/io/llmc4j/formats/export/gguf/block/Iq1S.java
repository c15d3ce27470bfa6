package io.llmc4j.formats.export.gguf.block;

/** IQ1_S: 2048 ternary points; sub-blocks of 32 with a three-bit scale and one shift; value d · (2 scale + 1) · (ternary ± 1/8). */
final class Iq1S implements BlockCodec {

    private static final int BYTES = 50;
    private static final int POINTS = 2;
    private static final int HIGH = 34;
    private static final float NOTHING = 1e-12f;
    private static final float FUDGE = 1.125f;

    @Override
    public void encode(float[] x, int xOff, int n, float[] importance, byte[] out, int outOff) {
        if (importance.length == 0) {
            throw new IllegalArgumentException("IQ1_S needs importance");
        }
        TernarySplit split = new TernarySplit(32, false);
        float[] scales = new float[8];
        for (int b = 0; b < n / SuperBlock.SIZE; b++) {
            int at = xOff + b * SuperBlock.SIZE;
            int to = outOff + b * BYTES;
            int[] high = new int[8];
            java.util.Arrays.fill(out, to, to + BYTES, (byte) 0);
            float sigma2 = 2 * Bits.sumOfSquares(x, at, SuperBlock.SIZE) / SuperBlock.SIZE;
            float largest = 0f;
            for (int s = 0; s < 8; s++) {
                Bits.weigh(x, at + 32 * s, 32, importance, b * SuperBlock.SIZE + 32 * s, sigma2, split.weight());
                float scale = split.search(x, at + 32 * s, NOTHING);
                scales[s] = Float.isNaN(scale) ? 0f : scale;
                if (Float.isNaN(scale)) {
                    continue;
                }
                for (int e = 0; e < 4; e++) {
                    out[to + POINTS + 4 * s + e] = (byte) split.point(e);
                    high[s] |= split.point(e) >> 8 << 3 * e;
                }
                high[s] |= split.down(0) ? 0x8000 : 0;
                largest = Math.max(largest, scale);
            }
            float d = largest / 15;
            float inverse = 1f / d;
            for (int s = 0; s < 8; s++) {
                int code = largest == 0f ? 0 : Bits.nearest(0.5f * (inverse * scales[s] - 1f), 0, 7);
                Bits.putShort(out, to + HIGH + 2 * s, largest == 0f ? high[s] & 0x7fff : high[s] | code << 12);
            }
            Bits.putHalf(out, to, d * FUDGE);
        }
    }

    @Override
    public void decode(byte[] in, int inOff, int n, float[] out, int outOff) {
        for (int b = 0; b < n / SuperBlock.SIZE; b++) {
            int at = inOff + b * BYTES;
            float d = Bits.half(in, at);
            for (int e = 0; e < 32; e++) {
                int high = Bits.shortAt(in, at + HIGH + 2 * (e / 4));
                float scale = d * (2 * (high >> 12 & 7) + 1);
                float shift = (high & 0x8000) == 0 ? TernarySplit.SHIFT : -TernarySplit.SHIFT;
                int point = (in[at + POINTS + e] & 0xff) | (high >> 3 * (e % 4) & 7) << 8;
                Iq1.decode(point, scale, shift, out, outOff + b * SuperBlock.SIZE + 8 * e);
            }
        }
    }
}
