package io.llmc4j.formats.export.gguf.block;

/** Q3_K: super-blocks of 256, sixteen sub-blocks with signed six-bit scales; value d · (scale - 32) · (code - 4). */
final class Q3_K implements BlockCodec {

    private static final int BYTES = 110;
    private static final int CODES = 32;
    private static final int SCALES = 96;
    private static final int D = 108;

    @Override
    public void encode(float[] x, int xOff, int n, float[] importance, byte[] out, int outOff) {
        byte[] codes = new byte[SuperBlock.SIZE];
        float[] scales = new float[16];
        byte[] scaleCodes = new byte[16];
        for (int b = 0; b < n / SuperBlock.SIZE; b++) {
            int at = xOff + b * SuperBlock.SIZE;
            float d = importance.length == 0 ? plain(x, at, codes, scales, scaleCodes)
                    : weighted(x, at, importance, b * SuperBlock.SIZE, codes, scales, scaleCodes);
            d = Float.float16ToFloat(Float.floatToFloat16(d));
            for (int j = 0; j < 16; j++) {
                float step = d * (scaleCodes[j] - 32);
                if (step == 0f) {
                    continue;
                }
                for (int i = 16 * j; i < 16 * (j + 1); i++) {
                    codes[i] = (byte) (Bits.nearest(x[at + i] / step, -4, 3) + 4);
                }
            }
            write(codes, scaleCodes, d, out, outOff + b * BYTES);
        }
    }

    private static float plain(float[] x, int at, byte[] codes, float[] scales, byte[] scaleCodes) {
        for (int j = 0; j < 16; j++) {
            scales[j] = SymmetricSearch.descend(16, 4, x, at + 16 * j, codes, 16 * j);
        }
        float extreme = SymmetricSearch.extreme(16, scales, 0);
        if (extreme == 0f) {
            // A super-block of zeros has the scale bytes 0, which read as -32.
            java.util.Arrays.fill(scaleCodes, (byte) 0);
            return 0f;
        }
        float inverse = -32f / extreme;
        for (int j = 0; j < 16; j++) {
            scaleCodes[j] = (byte) (Math.max(-32, Math.min(31, (byte) Bits.nearest(inverse * scales[j]))) + 32);
        }
        return 1f / inverse;
    }

    private static float weighted(float[] x, int at, float[] importance, int impOff, byte[] codes, float[] scales, byte[] scaleCodes) {
        float sigma2 = 2 * Bits.sumOfSquares(x, at, SuperBlock.SIZE) / SuperBlock.SIZE;
        float[] weight = new float[16];
        float[] subWeights = new float[16];
        for (int j = 0; j < 16; j++) {
            Bits.weigh(x, at + 16 * j, 16, importance, impOff + 16 * j, sigma2, weight);
            subWeights[j] = Bits.sum(weight, 16);
            scales[j] = SymmetricSearch.search(16, 4, x, at + 16 * j, codes, 16 * j, weight, 0);
        }
        return SymmetricSearch.search(16, 32, scales, 0, scaleCodes, 0, subWeights, 0);
    }

    private static void write(byte[] codes, byte[] scaleCodes, float d, byte[] out, int to) {
        for (int b = 0; b < 32; b++) {
            int mask = 0;
            for (int j = 0; j < 8; j++) {
                mask |= (codes[32 * j + b] > 3 ? 1 : 0) << j;
            }
            out[to + b] = (byte) mask;
        }
        TwoBitPlanes.pack(codes, out, to + CODES);
        for (int j = 0; j < 8; j++) {
            out[to + SCALES + j] = (byte) ((scaleCodes[j] & 15) | (scaleCodes[j + 8] & 15) << 4);
        }
        for (int j = 0; j < 4; j++) {
            out[to + SCALES + 8 + j] = (byte) (scaleCodes[j] >> 4 | (scaleCodes[j + 4] >> 4) << 2 | (scaleCodes[j + 8] >> 4) << 4
                    | (scaleCodes[j + 12] >> 4) << 6);
        }
        Bits.putHalf(out, to + D, d);
    }

    @Override
    public void decode(byte[] in, int inOff, int n, float[] out, int outOff) {
        for (int b = 0; b < n / SuperBlock.SIZE; b++) {
            int at = inOff + b * BYTES;
            float d = Bits.half(in, at + D);
            for (int j = 0; j < 16; j++) {
                int low = j < 8 ? Nibbles.low(in, at + SCALES + j) : Nibbles.high(in, at + SCALES + j - 8);
                int high = (in[at + SCALES + 8 + j % 4] >> 2 * (j / 4)) & 3;
                float scale = d * ((low | high << 4) - 32);
                for (int e = 16 * j; e < 16 * (j + 1); e++) {
                    int top = (in[at + (e & 31)] >> (e >> 5)) & 1;
                    out[outOff + b * SuperBlock.SIZE + e] = scale * (TwoBitPlanes.get(in, at + CODES, e) - (top == 1 ? 0 : 4));
                }
            }
        }
    }
}
