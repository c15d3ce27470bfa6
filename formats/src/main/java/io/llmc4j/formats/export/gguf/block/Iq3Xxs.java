package io.llmc4j.formats.export.gguf.block;

/** IQ3_XXS: 256 points of four values; sub-blocks of 32 with eight point bytes and one word of four seven-bit signs and a four-bit scale. */
final class Iq3Xxs implements BlockCodec {

    private static final int BYTES = 98;
    private static final int POINTS = 2;
    private static final int WORDS = 66;
    private static final float FUDGE = 1.0125f;
    private static final float[] MAGNITUDES = {4, 12, 20, 28, 36, 44, 52, 62};
    private static final LatticeSearch.Rules RULES = new LatticeSearch.Rules(Lattice.IQ3_XXS, 32, 8, 15, 0.2f, true, 1e-8f, false, false, false);

    @Override
    public void encode(float[] x, int xOff, int n, float[] importance, byte[] out, int outOff) {
        IqBlock block = new IqBlock(RULES, 2f, (v, sigma2) -> v * v);
        int[] signs = new int[8];
        for (int b = 0; b < n / SuperBlock.SIZE; b++) {
            int to = outOff + b * BYTES;
            java.util.Arrays.fill(out, to, to + BYTES, (byte) 0);
            java.util.Arrays.fill(signs, 0);
            float d = block.quantize(x, xOff + b * SuperBlock.SIZE, importance, b * SuperBlock.SIZE, (sub, found) -> {
                for (int k = 0; k < 8; k++) {
                    out[to + POINTS + 8 * sub + k] = (byte) found.point(k);
                }
                for (int k = 0; k < 4; k++) {
                    signs[sub] |= found.signs(k) << 7 * k;
                }
            });
            if (d == 0f) {
                java.util.Arrays.fill(out, to, to + BYTES, (byte) 0);
                continue;
            }
            Bits.putHalf(out, to, d * FUDGE);
            for (int s = 0; s < 8; s++) {
                Bits.putInt(out, to + WORDS + 4 * s, signs[s] | block.scaleCode(s) << 28);
            }
        }
    }

    @Override
    public void decode(byte[] in, int inOff, int n, float[] out, int outOff) {
        for (int b = 0; b < n / SuperBlock.SIZE; b++) {
            int at = inOff + b * BYTES;
            float d = Bits.half(in, at);
            for (int s = 0; s < 8; s++) {
                int word = Bits.intAt(in, at + WORDS + 4 * s);
                float scale = d * (0.5f + (word >>> 28)) * 0.5f;
                for (int i = 0; i < 32; i++) {
                    int point = in[at + POINTS + 8 * s + i / 4] & 0xff;
                    float v = scale * MAGNITUDES[Lattice.IQ3_XXS.coordinate(point, i % 4)];
                    int signs = IqSigns.complete(word >>> 7 * (i / 8) & 127);
                    out[outOff + b * SuperBlock.SIZE + 32 * s + i] = IqSigns.apply(v, signs, i % 8);
                }
            }
        }
    }
}
