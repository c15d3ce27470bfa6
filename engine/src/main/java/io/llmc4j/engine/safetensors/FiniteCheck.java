package io.llmc4j.engine.safetensors;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Shape;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;

/** Looks for NaN and infinities in stored floats, on their bits: an exponent of all ones, or the format's own NaN codes. */
public final class FiniteCheck {

    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int PIECE = 8192;

    private FiniteCheck() {
    }

    /** Throws NON_FINITE when a whole tensor holds a NaN or an infinity. */
    static void require(Path file, String name, DType dtype, Shape shape, MemorySegment bytes) {
        long bad = firstNonFinite(dtype, bytes);
        if (bad >= 0) {
            throw BadInput.of(SafetensorsError.NON_FINITE, "%s: tensor '%s' %s%s has a NaN or an infinity at element %d; nothing was written under that name",
                    file, name, dtype, shape, bad);
        }
    }

    /** The index of an element that is not finite, in a piece that holds one, or -1. {@code bytes} is whole elements. */
    public static long firstNonFinite(DType dtype, MemorySegment bytes) {
        return switch (dtype) {
            case F32 -> ints(bytes);
            case F16 -> shorts(bytes, 0x7c00);
            case BF16 -> shorts(bytes, 0x7f80);
            case F64 -> longs(bytes);
            case F8_E4M3 -> codes(bytes, 0x7f, 0x7f);
            case F8_E5M2 -> codes(bytes, 0x7f, 0x7c);
            case F8_E8M0 -> codes(bytes, 0xff, 0xff);
            case F8_E4M3FNUZ, F8_E5M2FNUZ -> code80(bytes);
            default -> -1;
        };
    }

    private static long ints(MemorySegment s) {
        int[] raw = new int[PIECE];
        long n = s.byteSize() / 4;
        for (long i = 0; i < n; i += PIECE) {
            int m = (int) Math.min(PIECE, n - i);
            MemorySegment.copy(s, INT, i * 4, raw, 0, m);
            int max = 0;
            for (int k = 0; k < m; k++) {
                max = Math.max(max, raw[k] & 0x7f800000);
            }
            if (max == 0x7f800000) {
                int k = 0;
                while ((raw[k] & 0x7f800000) != 0x7f800000) {
                    k++;
                }
                return i + k;
            }
        }
        return -1;
    }

    private static long shorts(MemorySegment s, int exponent) {
        short[] raw = new short[PIECE];
        long n = s.byteSize() / 2;
        for (long i = 0; i < n; i += PIECE) {
            int m = (int) Math.min(PIECE, n - i);
            MemorySegment.copy(s, SHORT, i * 2, raw, 0, m);
            int max = 0;
            for (int k = 0; k < m; k++) {
                max = Math.max(max, raw[k] & exponent);
            }
            if (max == exponent) {
                int k = 0;
                while ((raw[k] & exponent) != exponent) {
                    k++;
                }
                return i + k;
            }
        }
        return -1;
    }

    private static long longs(MemorySegment s) {
        long n = s.byteSize() / 8;
        for (long i = 0; i < n; i++) {
            if ((s.get(LONG, i * 8) & 0x7ff0000000000000L) == 0x7ff0000000000000L) {
                return i;
            }
        }
        return -1;
    }

    private static long codes(MemorySegment s, int mask, int from) {
        byte[] raw = new byte[PIECE];
        for (long i = 0; i < s.byteSize(); i += PIECE) {
            int m = (int) Math.min(PIECE, s.byteSize() - i);
            MemorySegment.copy(s, ValueLayout.JAVA_BYTE, i, raw, 0, m);
            for (int k = 0; k < m; k++) {
                if ((raw[k] & mask) >= from) {
                    return i + k;
                }
            }
        }
        return -1;
    }

    private static long code80(MemorySegment s) {
        for (long i = 0; i < s.byteSize(); i++) {
            if (s.get(ValueLayout.JAVA_BYTE, i) == (byte) 0x80) {
                return i;
            }
        }
        return -1;
    }
}
