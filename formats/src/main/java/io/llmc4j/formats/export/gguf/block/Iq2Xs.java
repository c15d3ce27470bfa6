package io.llmc4j.formats.export.gguf.block;

/** IQ2_XS: 512 points; a half-word of nine point bits and seven signs for eight values; sub-blocks of 16 with four-bit scales. */
final class Iq2Xs implements BlockCodec {

    private static final int BYTES = 74;
    private static final int WORDS = 2;
    private static final int SCALES = 66;
    private static final LatticeSearch.Rules RULES = new LatticeSearch.Rules(Lattice.IQ2_XS, 16, 3, 9, 0.1f, true, 1e-15f, false, false, false);

    @Override
    public void encode(float[] x, int xOff, int n, float[] importance, byte[] out, int outOff) {
        IqBlock block = new IqBlock(RULES, 1f, (v, sigma2) -> {
            throw new IllegalArgumentException("IQ2_XS needs importance");
        });
        for (int b = 0; b < n / SuperBlock.SIZE; b++) {
            int to = outOff + b * BYTES;
            java.util.Arrays.fill(out, to, to + BYTES, (byte) 0);
            float d = block.quantize(x, xOff + b * SuperBlock.SIZE, importance, b * SuperBlock.SIZE, (sub, found) -> {
                for (int k = 0; k < 2; k++) {
                    Bits.putShort(out, to + WORDS + 4 * sub + 2 * k, found.point(k) | found.signs(k) << 9);
                }
            });
            if (d == 0f) {
                java.util.Arrays.fill(out, to, to + BYTES, (byte) 0);
                continue;
            }
            Bits.putHalf(out, to, d);
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
                int word = Bits.shortAt(in, at + WORDS + 2 * e);
                float scale = Iq2.scale(d, in[at + SCALES + e / 4] >> (e & 2) * 2 & 15);
                Iq2.decode(Lattice.IQ2_XS, word & 511, IqSigns.complete(word >> 9), scale, out, outOff + b * SuperBlock.SIZE + 8 * e);
            }
        }
    }
}
