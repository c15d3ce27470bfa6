package io.llmc4j.formats.export.gguf.block;

/** Q8_0: 32 signed bytes and a half-precision scale; value d · code. */
final class Q8_0 implements BlockCodec {

    private static final int BLOCK = 32;
    private static final int BYTES = 34;

    @Override
    public void encode(float[] x, int xOff, int n, float[] importance, byte[] out, int outOff) {
        for (int b = 0; b < n / BLOCK; b++) {
            int at = xOff + b * BLOCK;
            int to = outOff + b * BYTES;
            float largest = 0f;
            for (int j = 0; j < BLOCK; j++) {
                largest = Math.max(largest, Math.abs(x[at + j]));
            }
            float d = largest / 127;
            float inverse = d != 0f ? 1f / d : 0f;
            Bits.putHalf(out, to, d);
            for (int j = 0; j < BLOCK; j++) {
                out[to + 2 + j] = (byte) Bits.roundAway(x[at + j] * inverse);
            }
        }
    }

    @Override
    public void decode(byte[] in, int inOff, int n, float[] out, int outOff) {
        for (int b = 0; b < n / BLOCK; b++) {
            int at = inOff + b * BYTES;
            float d = Bits.half(in, at);
            for (int j = 0; j < BLOCK; j++) {
                out[outOff + b * BLOCK + j] = in[at + 2 + j] * d;
            }
        }
    }
}
