package io.llmc4j.formats.export.gguf.block;

/** MXFP4 (OCP microscaling): 32 codes of E2M1 and one power-of-two scale; value table[code] · 2^(e - 128). */
final class Mxfp4 implements BlockCodec {

    private static final int BLOCK = 32;
    private static final int BYTES = 17;

    @Override
    public void encode(float[] x, int xOff, int n, float[] importance, byte[] out, int outOff) {
        byte[] codes = new byte[BLOCK];
        for (int b = 0; b < n / BLOCK; b++) {
            int at = xOff + b * BLOCK;
            int to = outOff + b * BYTES;
            float largest = 0f;
            for (int j = 0; j < BLOCK; j++) {
                largest = Math.max(largest, Math.abs(x[at + j]));
            }
            int e = exponent(largest);
            float d = half(e);
            for (int j = 0; j < BLOCK; j++) {
                codes[j] = (byte) E2m1.nearest(x[at + j], d);
            }
            out[to] = (byte) e;
            Nibbles.pack(codes, 0, out, to + 1);
        }
    }

    /** floor(log2(largest)) - 2 + 127, with the logarithm rounded to float32 first (what is just below a power of two counts as that power). */
    private static int exponent(float largest) {
        if (!(largest > 0f)) {
            return 0;
        }
        int whole = Math.getExponent((double) largest);
        double log2 = whole + StrictMath.log(Math.scalb((double) largest, -whole)) / StrictMath.log(2.0);
        return (int) Math.floor((float) log2) - 2 + 127 & 0xff;
    }

    /** 2^(e - 128). */
    private static float half(int e) {
        return Float.intBitsToFloat(e < 2 ? 0x00200000 << e : e - 1 << 23);
    }

    @Override
    public void decode(byte[] in, int inOff, int n, float[] out, int outOff) {
        for (int b = 0; b < n / BLOCK; b++) {
            int at = inOff + b * BYTES;
            int to = outOff + b * BLOCK;
            float d = half(in[at] & 0xff);
            for (int j = 0; j < 16; j++) {
                out[to + j] = E2m1.DOUBLED[Nibbles.low(in, at + 1 + j)] * d;
                out[to + j + 16] = E2m1.DOUBLED[Nibbles.high(in, at + 1 + j)] * d;
            }
        }
    }
}
