package io.llmc4j.formats.export.gguf.block;

/** BF16: the upper half of a float32, nearest, ties to even; a NaN stays one. */
final class Bf16Codec implements BlockCodec {

    @Override
    public void encode(float[] x, int xOff, int n, float[] importance, byte[] out, int outOff) {
        for (int i = 0; i < n; i++) {
            int bits = Float.floatToRawIntBits(x[xOff + i]);
            boolean nan = (bits & 0x7fffffff) > 0x7f800000;
            Bits.putShort(out, outOff + 2 * i, nan ? (bits >>> 16) | 64 : (bits + (0x7fff + ((bits >>> 16) & 1))) >>> 16);
        }
    }

    @Override
    public void decode(byte[] in, int inOff, int n, float[] out, int outOff) {
        for (int i = 0; i < n; i++) {
            out[outOff + i] = Float.intBitsToFloat(Bits.shortAt(in, inOff + 2 * i) << 16);
        }
    }
}
