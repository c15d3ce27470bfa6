package io.llmc4j.formats.export.gguf.block;

/** IQ2_S: 1024 points in eight and two bits, all eight signs; sub-blocks of 16 with four-bit scales. */
final class Iq2S implements BlockCodec {

    private static final int BYTES = 82;
    private static final int POINTS = 2;
    private static final int SIGNS = 34;
    private static final int HIGH = 66;
    private static final int SCALES = 74;
    private static final float FUDGE = 0.9875f;
    private static final LatticeSearch.Rules RULES = new LatticeSearch.Rules(Lattice.IQ2_S, 16, 3, 9, 0.1f, false, 1e-8f, false, false, false);

    @Override
    public void encode(float[] x, int xOff, int n, float[] importance, byte[] out, int outOff) {
        IqBlock block = new IqBlock(RULES, 2f, (v, sigma2) -> 0.25f * sigma2 + v * v);
        for (int b = 0; b < n / SuperBlock.SIZE; b++) {
            int to = outOff + b * BYTES;
            java.util.Arrays.fill(out, to, to + BYTES, (byte) 0);
            float d = block.quantize(x, xOff + b * SuperBlock.SIZE, importance, b * SuperBlock.SIZE, (sub, found) -> {
                for (int k = 0; k < 2; k++) {
                    int e = 2 * sub + k;
                    out[to + POINTS + e] = (byte) found.point(k);
                    out[to + HIGH + e / 4] |= (byte) (found.point(k) >> 8 << 2 * (e % 4));
                    out[to + SIGNS + e] = (byte) found.signs(k);
                }
            });
            if (d == 0f) {
                continue;
            }
            Bits.putHalf(out, to, d * FUDGE);
            for (int s = 0; s < 8; s++) {
                out[to + SCALES + s] = (byte) (block.scaleCode(2 * s) | block.scaleCode(2 * s + 1) << 4);
            }
        }
    }

    @Override
    public void decode(byte[] in, int inOff, int n, float[] out, int outOff) {
        for (int b = 0; b < n / SuperBlock.SIZE; b++) {
            int at = inOff + b * BYTES;
            float d = Bits.half(in, at);
            for (int e = 0; e < 32; e++) {
                int point = (in[at + POINTS + e] & 0xff) | (in[at + HIGH + e / 4] >> 2 * (e % 4) & 3) << 8;
                float scale = Iq2.scale(d, in[at + SCALES + e / 4] >> (e & 2) * 2 & 15);
                Iq2.decode(Lattice.IQ2_S, point, in[at + SIGNS + e], scale, out, outOff + b * SuperBlock.SIZE + 8 * e);
            }
        }
    }
}
