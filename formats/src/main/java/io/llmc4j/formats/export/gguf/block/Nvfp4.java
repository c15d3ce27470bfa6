package io.llmc4j.formats.export.gguf.block;

/** NVFP4 in GGUF: 64 codes of E2M1 in four sub-blocks of 16, each with an unsigned E4M3 scale; no second-level scale inside. */
final class Nvfp4 implements BlockCodec {

    private static final int BLOCK = 64;
    private static final int SUB = 16;
    private static final int BYTES = 36;
    private static final int CODES = 4;

    @Override
    public void encode(float[] x, int xOff, int n, float[] importance, byte[] out, int outOff) {
        for (int b = 0; b < n / BLOCK; b++) {
            for (int s = 0; s < 4; s++) {
                int at = xOff + b * BLOCK + s * SUB;
                int to = outOff + b * BYTES;
                float largest = 0f;
                for (int j = 0; j < SUB; j++) {
                    largest = Math.max(largest, Math.abs(x[at + j]));
                }
                int scale = scaleCode(largest / 6f);
                float d = halfScale(scale);
                out[to + s] = (byte) scale;
                for (int j = 0; j < SUB / 2; j++) {
                    out[to + CODES + s * SUB / 2 + j] = (byte) (E2m1.nearest(x[at + j], d) | E2m1.nearest(x[at + SUB / 2 + j], d) << 4);
                }
            }
        }
    }

    @Override
    public void decode(byte[] in, int inOff, int n, float[] out, int outOff) {
        for (int b = 0; b < n / BLOCK; b++) {
            for (int s = 0; s < 4; s++) {
                int at = inOff + b * BYTES;
                int to = outOff + b * BLOCK + s * SUB;
                float d = halfScale(in[at + s] & 0xff);
                for (int j = 0; j < SUB / 2; j++) {
                    byte pair = in[at + CODES + s * SUB / 2 + j];
                    out[to + j] = E2m1.DOUBLED[pair & 15] * d;
                    out[to + j + SUB / 2] = E2m1.DOUBLED[pair >> 4 & 15] * d;
                }
            }
        }
    }

    /** Half of the value of an unsigned E4M3 code (the element table is doubled); 0x7f is read as 0. */
    private static float halfScale(int code) {
        if (code == 0 || code == 0x7f) {
            return 0f;
        }
        int exponent = code >> 3 & 15;
        int mantissa = code & 7;
        return 0.5f * (exponent == 0 ? Math.scalb((float) mantissa, -9) : Math.scalb(1f + mantissa / 8f, exponent - 7));
    }

    /** Nearest code below 0x7f, halves up; what rounds below the smallest subnormal is 0. */
    private static int scaleCode(float v) {
        if (!(v > 0f)) {
            return 0;
        }
        int bits = Float.floatToRawIntBits(Math.min(v, 448f));
        int exponent = (bits >> 23 & 0xff) - 127 + 7;
        if (exponent <= 0) {
            return Math.min(7, (int) (v * 512f + 0.5f));
        }
        int code = (exponent << 3 | (bits >> 20 & 7)) + (bits >> 19 & 1);
        return code >> 3 >= 15 ? 0x7e : code;
    }
}
