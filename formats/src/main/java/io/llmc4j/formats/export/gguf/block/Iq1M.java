package io.llmc4j.formats.export.gguf.block;

/** IQ1_M: as IQ1_S with sub-blocks of 16, a shift for each eight values, and the half-precision scale spread over the scale words. */
final class Iq1M implements BlockCodec {

    private static final int BYTES = 56;
    private static final int HIGH = 32;
    private static final int SCALES = 48;
    private static final float NOTHING = 1e-7f;
    private static final float FUDGE = 1.1125f;

    @Override
    public void encode(float[] x, int xOff, int n, float[] importance, byte[] out, int outOff) {
        TernarySplit split = new TernarySplit(16, true);
        float[] scales = new float[16];
        boolean[] down = new boolean[32];
        for (int b = 0; b < n / SuperBlock.SIZE; b++) {
            int at = xOff + b * SuperBlock.SIZE;
            int to = outOff + b * BYTES;
            java.util.Arrays.fill(out, to, to + BYTES, (byte) 0);
            java.util.Arrays.fill(down, false);
            float sigma2 = 2 * Bits.sumOfSquares(x, at, SuperBlock.SIZE) / SuperBlock.SIZE;
            float largest = 0f;
            for (int s = 0; s < 16; s++) {
                weights(x, at + 16 * s, importance, b * SuperBlock.SIZE + 16 * s, sigma2, split.weight());
                float scale = split.search(x, at + 16 * s, NOTHING);
                scales[s] = Float.isNaN(scale) ? 0f : scale;
                if (Float.isNaN(scale)) {
                    continue;
                }
                for (int e = 0; e < 2; e++) {
                    out[to + 2 * s + e] = (byte) split.point(e);
                    out[to + HIGH + s] |= (byte) (split.point(e) >> 8 << 4 * e);
                    down[2 * s + e] = split.down(e);
                }
                largest = Math.max(largest, scale);
            }
            if (largest != 0f) {
                finish(x, at, importance, b * SuperBlock.SIZE, sigma2, scales, down, largest / 15, split.weight(), out, to);
            }
        }
    }

    /** Scale codes, shift bits, and d by least squares over the whole super-block. */
    private static void finish(float[] x, int at, float[] importance, int impOff, float sigma2, float[] scales, boolean[] down, float firstD,
                               float[] weight, byte[] out, int to) {
        float inverse = 1f / firstD;
        int[] words = new int[4];
        float sumQx = 0f;
        float sumQ2 = 0f;
        for (int s = 0; s < 16; s++) {
            int code = Bits.nearest(0.5f * (inverse * scales[s] - 1f), 0, 7);
            words[s / 4] |= code << 3 * (s % 4);
            weights(x, at + 16 * s, importance, impOff + 16 * s, sigma2, weight);
            for (int e = 0; e < 2; e++) {
                out[to + HIGH + s] |= (byte) (down[2 * s + e] ? 8 << 4 * e : 0);
                int point = point(out, to, 2 * s + e);
                for (int i = 0; i < 8; i++) {
                    float q = (down[2 * s + e] ? TernarySplit.DOWN : TernarySplit.UP)[Lattice.IQ1.coordinate(point, i)] * (2 * code + 1);
                    float w = weight[8 * e + i];
                    sumQx += w * q * x[at + 16 * s + 8 * e + i];
                    sumQ2 += w * q * q;
                }
            }
        }
        float d = sumQ2 > 0f ? sumQx / sumQ2 : firstD;
        int half = Float.floatToFloat16(d * FUDGE);
        for (int i = 0; i < 4; i++) {
            Bits.putShort(out, to + SCALES + 2 * i, words[i] | (half >> 4 * i & 15) << 12);
        }
    }

    private static void weights(float[] x, int at, float[] importance, int impOff, float sigma2, float[] out) {
        if (importance.length != 0) {
            Bits.weigh(x, at, 16, importance, impOff, sigma2, out);
            return;
        }
        for (int i = 0; i < 16; i++) {
            out[i] = x[at + i] * x[at + i];
        }
    }

    private static int point(byte[] in, int at, int eight) {
        return (in[at + eight] & 0xff) | (in[at + HIGH + eight / 2] >> 4 * (eight & 1) & 7) << 8;
    }

    @Override
    public void decode(byte[] in, int inOff, int n, float[] out, int outOff) {
        for (int b = 0; b < n / SuperBlock.SIZE; b++) {
            int at = inOff + b * BYTES;
            int half = 0;
            for (int i = 0; i < 4; i++) {
                half |= Bits.shortAt(in, at + SCALES + 2 * i) >> 12 << 4 * i;
            }
            float d = Float.float16ToFloat((short) half);
            for (int e = 0; e < 32; e++) {
                int s = e / 2;
                float scale = d * (2 * (Bits.shortAt(in, at + SCALES + 2 * (s / 4)) >> 3 * (s % 4) & 7) + 1);
                boolean down = (in[at + HIGH + s] >> 4 * (e & 1) & 8) != 0;
                Iq1.decode(point(in, at, e), scale, down ? -TernarySplit.SHIFT : TernarySplit.SHIFT, out, outOff + b * SuperBlock.SIZE + 8 * e);
            }
        }
    }
}
