package io.llmc4j.formats.export.gguf.block;

/** IQ2_XXS: 256 points; sub-blocks of 32 with four point bytes and one word of four seven-bit signs and a four-bit scale. */
final class Iq2Xxs implements BlockCodec {

    private static final int BYTES = 66;
    private static final int WORDS = 2;
    private static final LatticeSearch.Rules RULES = new LatticeSearch.Rules(Lattice.IQ2_XXS, 32, 3, 6, 0.1f, true, 1e-15f, true, true, true);

    @Override
    public void encode(float[] x, int xOff, int n, float[] importance, byte[] out, int outOff) {
        IqBlock block = new IqBlock(RULES, 1f, (v, sigma2) -> {
            throw new IllegalArgumentException("IQ2_XXS needs importance");
        });
        int[] points = new int[8];
        int[] signs = new int[8];
        for (int b = 0; b < n / SuperBlock.SIZE; b++) {
            int to = outOff + b * BYTES;
            java.util.Arrays.fill(points, 0);
            java.util.Arrays.fill(signs, 0);
            float d = block.quantize(x, xOff + b * SuperBlock.SIZE, importance, b * SuperBlock.SIZE, (sub, found) -> {
                for (int k = 0; k < 4; k++) {
                    points[sub] |= found.point(k) << 8 * k;
                    signs[sub] |= found.signs(k) << 7 * k;
                }
            });
            java.util.Arrays.fill(out, to, to + BYTES, (byte) 0);
            if (d == 0f) {
                continue;
            }
            Bits.putHalf(out, to, d);
            for (int s = 0; s < 8; s++) {
                Bits.putInt(out, to + WORDS + 8 * s, points[s]);
                Bits.putInt(out, to + WORDS + 8 * s + 4, signs[s] | block.scaleCode(s) << 28);
            }
        }
    }

    @Override
    public void decode(byte[] in, int inOff, int n, float[] out, int outOff) {
        for (int b = 0; b < n / SuperBlock.SIZE; b++) {
            int at = inOff + b * BYTES;
            float d = Bits.half(in, at);
            for (int s = 0; s < 8; s++) {
                int word = Bits.intAt(in, at + WORDS + 8 * s + 4);
                float scale = Iq2.scale(d, word >>> 28);
                for (int k = 0; k < 4; k++) {
                    Iq2.decode(Lattice.IQ2_XXS, in[at + WORDS + 8 * s + k] & 0xff, IqSigns.complete(word >>> 7 * k & 127), scale, out,
                            outOff + b * SuperBlock.SIZE + 32 * s + 8 * k);
                }
            }
        }
    }
}
