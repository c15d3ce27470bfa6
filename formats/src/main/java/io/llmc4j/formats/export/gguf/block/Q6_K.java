package io.llmc4j.formats.export.gguf.block;

/** Q6_K: super-blocks of 256, sixteen sub-blocks with signed eight-bit scales; value d · scale · (code - 32). */
final class Q6_K implements BlockCodec {

    private static final int BYTES = 210;
    private static final int HIGH = 128;
    private static final int SCALES = 192;
    private static final int D = 208;

    @Override
    public void encode(float[] x, int xOff, int n, float[] importance, byte[] out, int outOff) {
        byte[] codes = new byte[SuperBlock.SIZE];
        float[] scales = new float[16];
        for (int b = 0; b < n / SuperBlock.SIZE; b++) {
            int at = xOff + b * SuperBlock.SIZE;
            int to = outOff + b * BYTES;
            for (int j = 0; j < 16; j++) {
                scales[j] = SymmetricSearch.search(16, 32, x, at + 16 * j, codes, 16 * j, importance, b * SuperBlock.SIZE + 16 * j);
            }
            float extreme = SymmetricSearch.extreme(16, scales, 0);
            if (Math.abs(extreme) < SymmetricSearch.NOTHING) {
                java.util.Arrays.fill(out, to, to + BYTES, (byte) 0);
                continue;
            }
            float inverse = -128f / extreme;
            Bits.putHalf(out, to + D, 1f / inverse);
            float d = Bits.half(out, to + D);
            for (int j = 0; j < 16; j++) {
                out[to + SCALES + j] = (byte) Math.min(127, Bits.nearest(inverse * scales[j]));
                float step = d * out[to + SCALES + j];
                if (step == 0f) {
                    continue;
                }
                for (int i = 16 * j; i < 16 * (j + 1); i++) {
                    codes[i] = (byte) (Bits.nearest(x[at + i] / step, -32, 31) + 32);
                }
            }
            pack(codes, out, to);
        }
    }

    private static void pack(byte[] codes, byte[] out, int to) {
        for (int h = 0; h < 2; h++) {
            for (int i = 0; i < 64; i++) {
                out[to + 64 * h + i] = (byte) ((codes[128 * h + i] & 15) | (codes[128 * h + 64 + i] & 15) << 4);
            }
            for (int i = 0; i < 32; i++) {
                int e = 128 * h + i;
                out[to + HIGH + 32 * h + i] = (byte) (codes[e] >> 4 | (codes[e + 32] >> 4) << 2 | (codes[e + 64] >> 4) << 4 | (codes[e + 96] >> 4) << 6);
            }
        }
    }

    @Override
    public void decode(byte[] in, int inOff, int n, float[] out, int outOff) {
        for (int b = 0; b < n / SuperBlock.SIZE; b++) {
            int at = inOff + b * BYTES;
            float d = Bits.half(in, at + D);
            for (int j = 0; j < 16; j++) {
                float scale = d * in[at + SCALES + j];
                for (int e = 16 * j; e < 16 * (j + 1); e++) {
                    int low = in[at + 64 * (e >> 7) + (e & 63)] >> ((e & 64) == 0 ? 0 : 4) & 15;
                    int code = low | TwoBitPlanes.get(in, at + HIGH, e) << 4;
                    out[outOff + b * SuperBlock.SIZE + e] = scale * (code - 32);
                }
            }
        }
    }
}
