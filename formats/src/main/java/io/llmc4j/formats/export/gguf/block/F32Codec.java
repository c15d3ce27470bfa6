package io.llmc4j.formats.export.gguf.block;

/** F32: four bytes a value. */
final class F32Codec implements BlockCodec {

    @Override
    public void encode(float[] x, int xOff, int n, float[] importance, byte[] out, int outOff) {
        for (int i = 0; i < n; i++) {
            Bits.putInt(out, outOff + 4 * i, Float.floatToRawIntBits(x[xOff + i]));
        }
    }

    @Override
    public void decode(byte[] in, int inOff, int n, float[] out, int outOff) {
        for (int i = 0; i < n; i++) {
            out[outOff + i] = Float.intBitsToFloat(Bits.intAt(in, inOff + 4 * i));
        }
    }
}
