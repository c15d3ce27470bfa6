package io.llmc4j.formats.export.gguf.block;

/**
 * TQ1_0: 256 ternary codes, five to a byte in base three, and a half-precision scale; value d · (code - 1). A byte holds its number of
 * 0 … 242 times 256 / 243, rounded up, so that multiplying by three makes the digits overflow one by one, highest first.
 */
final class Tq1 implements BlockCodec {

    private static final int BYTES = 54;
    private static final int D = 52;
    private static final int[] POWERS = {1, 3, 9, 27, 81};
    /** Runs of bytes that hold every {@code stride}-th element: first byte, first element, stride (and bytes), elements a byte. */
    private static final int[][] RUNS = {{0, 0, 32, 5}, {32, 160, 16, 5}, {48, 240, 4, 4}};

    @Override
    public void encode(float[] x, int xOff, int n, float[] importance, byte[] out, int outOff) {
        byte[] codes = new byte[SuperBlock.SIZE];
        for (int b = 0; b < n / SuperBlock.SIZE; b++) {
            int to = outOff + b * BYTES;
            Bits.putHalf(out, to + D, Ternary.codes(x, xOff + b * SuperBlock.SIZE, codes));
            for (int[] run : RUNS) {
                for (int i = 0; i < run[2]; i++) {
                    int number = 0;
                    for (int k = 0; k < 5; k++) {
                        number = 3 * number + (k < run[3] ? codes[run[1] + i + k * run[2]] : 0);
                    }
                    out[to + run[0] + i] = (byte) ((number * 256 + 242) / 243);
                }
            }
        }
    }

    @Override
    public void decode(byte[] in, int inOff, int n, float[] out, int outOff) {
        for (int b = 0; b < n / SuperBlock.SIZE; b++) {
            int at = inOff + b * BYTES;
            float d = Bits.half(in, at + D);
            for (int[] run : RUNS) {
                for (int i = 0; i < run[2]; i++) {
                    for (int k = 0; k < run[3]; k++) {
                        int digits = in[at + run[0] + i] * POWERS[k] & 0xff;
                        out[outOff + b * SuperBlock.SIZE + run[1] + i + k * run[2]] = ((digits * 3 >> 8) - 1) * d;
                    }
                }
            }
        }
    }
}
