package io.llmc4j.formats.export.gguf.block;

/** TQ2_0: 256 ternary codes of two bits and a half-precision scale; value d · (code - 1). */
final class Tq2 implements BlockCodec {

    private static final int BYTES = 66;
    private static final int D = 64;

    @Override
    public void encode(float[] x, int xOff, int n, float[] importance, byte[] out, int outOff) {
        byte[] codes = new byte[SuperBlock.SIZE];
        for (int b = 0; b < n / SuperBlock.SIZE; b++) {
            Bits.putHalf(out, outOff + b * BYTES + D, Ternary.codes(x, xOff + b * SuperBlock.SIZE, codes));
            TwoBitPlanes.pack(codes, out, outOff + b * BYTES);
        }
    }

    @Override
    public void decode(byte[] in, int inOff, int n, float[] out, int outOff) {
        for (int b = 0; b < n / SuperBlock.SIZE; b++) {
            int at = inOff + b * BYTES;
            float d = Bits.half(in, at + D);
            for (int e = 0; e < SuperBlock.SIZE; e++) {
                out[outOff + b * SuperBlock.SIZE + e] = (TwoBitPlanes.get(in, at, e) - 1) * d;
            }
        }
    }
}
