package io.llmc4j.engine.quant.packing;

import io.llmc4j.engine.kernel.Parallel;

/** Between signed codes, unsigned codes and stored zero points. */
public final class CodeOffset {

    private CodeOffset() {
    }

    /** Signed codes -2^(b-1) … 2^(b-1) - 1 to unsigned: plus 2^(b-1). */
    public static byte[] toUnsigned(byte[] signed, int bits) {
        return shifted(signed, 1 << (bits - 1));
    }

    /** Unsigned codes to signed: minus 2^(b-1). */
    public static byte[] toSigned(byte[] unsigned, int bits) {
        return shifted(unsigned, -(1 << (bits - 1)));
    }

    private static byte[] shifted(byte[] codes, int by) {
        byte[] out = new byte[codes.length];
        Parallel.forRange(out.length, 1 << 16, (from, to) -> shift(codes, by, out, from, to));
        return out;
    }

    /** A leaf of its own, so that the compiler vectorizes it. */
    private static void shift(byte[] codes, int by, byte[] out, int from, int to) {
        for (int i = from; i < to; i++) {
            out[i] = (byte) (codes[i] + by);
        }
    }

    /** Integral zero points as codes plus an offset (GPTQ v1: -1), modulo 2^b. Throws IllegalArgumentException when one is not integral. */
    public static byte[] ofZeros(float[] zeros, int offset, int bits) {
        byte[] out = new byte[zeros.length];
        for (int i = 0; i < out.length; i++) {
            int z = (int) zeros[i];
            if (z != zeros[i]) {
                throw new IllegalArgumentException("zero point " + zeros[i] + " at " + i + " is not an integer");
            }
            out[i] = (byte) (z + offset & ((1 << bits) - 1));
        }
        return out;
    }

    /** Inverse of {@link #ofZeros}, modulo 2^b. */
    public static float[] toZeros(byte[] codes, int offset, int bits) {
        float[] out = new float[codes.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = codes[i] - offset & ((1 << bits) - 1);
        }
        return out;
    }
}
