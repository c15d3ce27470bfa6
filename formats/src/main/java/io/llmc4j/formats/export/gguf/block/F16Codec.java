package io.llmc4j.formats.export.gguf.block;

/** F16: IEEE half precision, nearest, ties to even. */
final class F16Codec implements BlockCodec {

    @Override
    public void encode(float[] x, int xOff, int n, float[] importance, byte[] out, int outOff) {
        for (int i = 0; i < n; i++) {
            Bits.putHalf(out, outOff + 2 * i, x[xOff + i]);
        }
    }

    @Override
    public void decode(byte[] in, int inOff, int n, float[] out, int outOff) {
        for (int i = 0; i < n; i++) {
            out[outOff + i] = Bits.half(in, inOff + 2 * i);
        }
    }
}
