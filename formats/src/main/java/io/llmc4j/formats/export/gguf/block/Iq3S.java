package io.llmc4j.formats.export.gguf.block;

/**
 * IQ3_S: 512 points of four values in eight and one bits, all signs; sub-blocks of 32 with four-bit scales. (llama.cpp 3.22.1 stores what
 * follows an all-zero sub-block in the wrong place; here it is in the right one, and the bytes differ in that case only.)
 */
final class Iq3S implements BlockCodec {

    private static final int BYTES = 110;
    private static final int POINTS = 2;
    private static final int HIGH = 66;
    private static final int SIGNS = 74;
    private static final int SCALES = 106;
    private static final float FUDGE = 1.033f;
    private static final LatticeSearch.Rules RULES =
            new LatticeSearch.Rules(Lattice.IQ3_S, 32, 8, 9, 0.2f, false, Float.MIN_VALUE, false, true, true);

    @Override
    public void encode(float[] x, int xOff, int n, float[] importance, byte[] out, int outOff) {
        IqBlock block = new IqBlock(RULES, 2f, (v, sigma2) -> v * v);
        for (int b = 0; b < n / SuperBlock.SIZE; b++) {
            int to = outOff + b * BYTES;
            java.util.Arrays.fill(out, to, to + BYTES, (byte) 0);
            float d = block.quantize(x, xOff + b * SuperBlock.SIZE, importance, b * SuperBlock.SIZE, (sub, found) -> {
                for (int k = 0; k < 8; k++) {
                    out[to + POINTS + 8 * sub + k] = (byte) found.point(k);
                    out[to + HIGH + sub] |= (byte) (found.point(k) >> 8 << k);
                }
                for (int k = 0; k < 4; k++) {
                    out[to + SIGNS + 4 * sub + k] = (byte) found.signs(k);
                }
            });
            if (d == 0f) {
                continue;
            }
            Bits.putHalf(out, to, d * FUDGE);
            for (int s = 0; s < 4; s++) {
                out[to + SCALES + s] = (byte) (block.scaleCode(2 * s) | block.scaleCode(2 * s + 1) << 4);
            }
        }
    }

    @Override
    public void decode(byte[] in, int inOff, int n, float[] out, int outOff) {
        for (int b = 0; b < n / SuperBlock.SIZE; b++) {
            int at = inOff + b * BYTES;
            float d = Bits.half(in, at);
            for (int s = 0; s < 8; s++) {
                float scale = d * (1 + 2 * (in[at + SCALES + s / 2] >> 4 * (s & 1) & 15));
                for (int i = 0; i < 32; i++) {
                    int group = i / 4;
                    int point = (in[at + POINTS + 8 * s + group] & 0xff) | (in[at + HIGH + s] >> group & 1) << 8;
                    float v = scale * (2 * Lattice.IQ3_S.coordinate(point, i % 4) + 1);
                    out[outOff + b * SuperBlock.SIZE + 32 * s + i] = IqSigns.apply(v, in[at + SIGNS + 4 * s + i / 8], i % 8);
                }
            }
        }
    }
}
