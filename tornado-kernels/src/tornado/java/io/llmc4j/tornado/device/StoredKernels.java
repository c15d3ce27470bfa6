package io.llmc4j.tornado.device;

import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.ByteArray;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;
import uk.ac.manchester.tornado.api.types.arrays.ShortArray;

/** Stored forms: codes of 4 and 8 bits in words, the lowest first; bf16 and fp16 by arithmetic, because devices may lack them or err in them. */
public final class StoredKernels {

    private StoredKernels() {
    }

    /** A word an item. Sizes: ticket, words, bits (4 or 8), codes. */
    public static void packWords(KernelContext context, IntArray sizes, ByteArray codes, IntArray words, IntArray done) {
        int w = context.globalIdx;
        if (w < sizes.get(1)) {
            int bits = sizes.get(2);
            int count = sizes.get(3);
            int each = 32 / bits;
            int mask = (1 << bits) - 1;
            int word = 0;
            for (int i = 0; i < each; i++) {
                int at = w * each + i;
                if (at < count) {
                    int code = codes.get(at);
                    word = word | (code & mask) << (i * bits);
                }
            }
            words.set(w, word);
        }
        if (w == 0) {
            done.set(0, sizes.get(0));
        }
    }

    /** A code an item, unsigned. Sizes: ticket, codes, bits (4 or 8). */
    public static void unpackWords(KernelContext context, IntArray sizes, IntArray words, ByteArray codes, IntArray done) {
        int i = context.globalIdx;
        if (i < sizes.get(1)) {
            int bits = sizes.get(2);
            int each = 32 / bits;
            int mask = (1 << bits) - 1;
            int code = words.get(i / each) >> (i % each * bits) & mask;
            codes.set(i, (byte) code);
        }
        if (i == 0) {
            done.set(0, sizes.get(0));
        }
    }

    /** bf16: 8 exponent bits, 7 mantissa bits. Sizes: ticket, elements, 127. */
    public static void decodeBf16(KernelContext context, IntArray sizes, ShortArray stored, FloatArray out, IntArray done) {
        int i = context.globalIdx;
        if (i < sizes.get(1)) {
            int bits = stored.get(i) & 0xffff;
            out.set(i, value(bits >> 15, bits >> 7 & 0xff, bits & 0x7f, 255, sizes.get(2), 0.0078125f));
        }
        if (i == 0) {
            done.set(0, sizes.get(0));
        }
    }

    /**
     * fp16: 5 exponent bits, 10 mantissa bits. Sizes: ticket, elements, 15: a bias that the compiler knew would let it fold a step of the power of two to a
     * constant condition, which TornadoVM cannot compile.
     */
    public static void decodeFp16(KernelContext context, IntArray sizes, ShortArray stored, FloatArray out, IntArray done) {
        int i = context.globalIdx;
        if (i < sizes.get(1)) {
            int bits = stored.get(i) & 0xffff;
            out.set(i, value(bits >> 15, bits >> 10 & 0x1f, bits & 0x3ff, 31, sizes.get(2), 9.765625e-4f));
        }
        if (i == 0) {
            done.set(0, sizes.get(0));
        }
    }

    /** Sign, exponent field and mantissa to a value; the field {@code special} is infinity and NaN. */
    static float value(int sign, int field, int mantissa, int special, int bias, float unit) {
        float fraction = (float) mantissa * unit;
        float signed = sign == 1 ? -1f : 1f;
        if (field == special) {
            float zero = (float) (field - special);
            float infinity = signed / zero;
            return mantissa == 0 ? infinity : infinity - infinity;
        }
        int exponent = field == 0 ? 1 - bias : field - bias;
        float whole = field == 0 ? fraction : fraction + 1f;
        return whole * Rounding.powerOfTwo(exponent) * signed;
    }
}
