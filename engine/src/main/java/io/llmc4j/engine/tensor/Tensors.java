package io.llmc4j.engine.tensor;

import io.llmc4j.engine.kernel.StoredFloats;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * Between stored tensors and heap arrays: whole, by element range, by row. Positions in a tensor are long, so that tensors past 2^31 elements are
 * walked in pieces; one piece is an array. Little-endian, no alignment required.
 */
public final class Tensors {

    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    /** Pieces are staged through small heap arrays: kernels work on arrays, and a copy into the first-level cache is as fast as memory gives. */
    private static final int PIECE = 2048;
    private static final ThreadLocal<short[]> SHORTS = ThreadLocal.withInitial(() -> new short[PIECE]);
    private static final ThreadLocal<byte[]> BYTES = ThreadLocal.withInitial(() -> new byte[PIECE]);

    private Tensors() {
    }

    /** All elements as float32 (exact for floats up to 32 bits and integers up to 24, else rounded to nearest), in C order. */
    public static float[] toFloats(Tensor t) {
        float[] out = new float[arrayLength(t.elements(), t)];
        toFloats(t, 0, out, 0, out.length);
        return out;
    }

    /** Elements {@code from … from + count - 1} as float32 into {@code out} from {@code at}. */
    public static void toFloats(Tensor t, long from, float[] out, int at, int count) {
        check(t, from, count);
        MemorySegment s = t.bytes();
        switch (t.dtype()) {
            case F32 -> MemorySegment.copy(s, FLOAT, from * 4, out, at, count);
            case BF16, F16 -> shortsToFloats(t, from, out, at, count);
            case F8_E4M3, F8_E5M2, F8_E8M0, F8_E4M3FNUZ, F8_E5M2FNUZ -> {
                byte[] raw = BYTES.get();
                for (int i = 0; i < count; i += PIECE) {
                    int n = Math.min(PIECE, count - i);
                    MemorySegment.copy(s, ValueLayout.JAVA_BYTE, from + i, raw, 0, n);
                    bytesToFloats(t.dtype(), raw, out, at + i, n);
                }
            }
            default -> {
                for (int i = 0; i < count; i++) {
                    out[at + i] = getFloat(t, from + i);
                }
            }
        }
    }

    private static void shortsToFloats(Tensor t, long from, float[] out, int at, int count) {
        StoredFloats kernels = StoredFloats.get();
        short[] raw = SHORTS.get();
        boolean half = t.dtype() == DType.F16;
        for (int i = 0; i < count; i += PIECE) {
            int n = Math.min(PIECE, count - i);
            MemorySegment.copy(t.bytes(), SHORT, (from + i) * 2, raw, 0, n);
            if (half) {
                kernels.f16ToFloats(n, raw, 0, out, at + i);
            } else {
                kernels.bf16ToFloats(n, raw, 0, out, at + i);
            }
        }
    }

    private static void bytesToFloats(DType dtype, byte[] raw, float[] out, int at, int n) {
        switch (dtype) {
            case F8_E4M3 -> StoredFloats.get().e4m3ToFloats(n, raw, 0, out, at);
            case F8_E5M2 -> StoredFloats.get().e5m2ToFloats(n, raw, 0, out, at);
            case F8_E8M0 -> {
                for (int k = 0; k < n; k++) {
                    out[at + k] = Conversions.e8m0ToFloat(raw[k]);
                }
            }
            case F8_E4M3FNUZ -> {
                for (int k = 0; k < n; k++) {
                    out[at + k] = Conversions.e4m3fnuzToFloat(raw[k]);
                }
            }
            default -> {
                for (int k = 0; k < n; k++) {
                    out[at + k] = Conversions.e5m2fnuzToFloat(raw[k]);
                }
            }
        }
    }

    /** Element {@code i}, C order, as float32. */
    public static float getFloat(Tensor t, long i) {
        MemorySegment s = t.bytes();
        return switch (t.dtype()) {
            case F32 -> s.get(FLOAT, i * 4);
            case F64 -> (float) s.get(DOUBLE, i * 8);
            case F16 -> Conversions.f16ToFloat(s.get(SHORT, i * 2));
            case BF16 -> Conversions.bf16ToFloat(s.get(SHORT, i * 2));
            case F8_E4M3 -> Conversions.e4m3ToFloat(s.get(ValueLayout.JAVA_BYTE, i));
            case F8_E5M2 -> Conversions.e5m2ToFloat(s.get(ValueLayout.JAVA_BYTE, i));
            case F8_E8M0 -> Conversions.e8m0ToFloat(s.get(ValueLayout.JAVA_BYTE, i));
            case F8_E4M3FNUZ -> Conversions.e4m3fnuzToFloat(s.get(ValueLayout.JAVA_BYTE, i));
            case F8_E5M2FNUZ -> Conversions.e5m2fnuzToFloat(s.get(ValueLayout.JAVA_BYTE, i));
            case F4 -> Conversions.e2m1ToFloat(s.get(ValueLayout.JAVA_BYTE, i / 2) >> 4 * (int) (i & 1));
            case U64 -> unsignedToFloat(s.get(LONG, i * 8));
            case F6_E2M3, F6_E3M2, C64 -> throw new IllegalArgumentException(t.dtype() + " is not decoded to float32");
            default -> getLong(t, i);
        };
    }

    /** Element {@code i}, C order, in double: F64 as it is stored, all else as {@link #getFloat}. */
    public static double getDouble(Tensor t, long i) {
        return t.dtype() == DType.F64 ? t.bytes().get(DOUBLE, i * 8) : getFloat(t, i);
    }

    /** The odd low bit stands for everything that the halving drops, so that the one rounding is right. */
    private static float unsignedToFloat(long v) {
        return v >= 0 ? v : (float) (v >>> 1 | v & 1) * 2f;
    }

    /** Element {@code i} of an integer or boolean tensor; U64 as its two's complement. */
    public static long getLong(Tensor t, long i) {
        MemorySegment s = t.bytes();
        return switch (t.dtype()) {
            case I64, U64 -> s.get(LONG, i * 8);
            case I32 -> s.get(INT, i * 4);
            case U32 -> s.get(INT, i * 4) & 0xffffffffL;
            case I16 -> s.get(SHORT, i * 2);
            case U16 -> s.get(SHORT, i * 2) & 0xffff;
            case I8 -> s.get(ValueLayout.JAVA_BYTE, i);
            case U8 -> s.get(ValueLayout.JAVA_BYTE, i) & 0xff;
            case BOOL -> s.get(ValueLayout.JAVA_BYTE, i) == 0 ? 0 : 1;
            default -> throw new IllegalArgumentException(t.dtype() + " is not an integer type");
        };
    }

    /** All elements of an integer or boolean tensor. */
    public static long[] toLongs(Tensor t) {
        long[] out = new long[arrayLength(t.elements(), t)];
        for (int i = 0; i < out.length; i++) {
            out[i] = getLong(t, i);
        }
        return out;
    }

    /** All elements of an integer or boolean tensor; U32 as its two's complement. Throws ArithmeticException where a value needs more than 32 bits. */
    public static int[] toInts(Tensor t) {
        int[] out = new int[arrayLength(t.elements(), t)];
        if (t.dtype() == DType.I32 || t.dtype() == DType.U32) {
            MemorySegment.copy(t.bytes(), INT, 0, out, 0, out.length);
            return out;
        }
        for (int i = 0; i < out.length; i++) {
            out[i] = Math.toIntExact(getLong(t, i));
        }
        return out;
    }

    /** The raw bytes. */
    public static byte[] toBytes(Tensor t) {
        byte[] out = new byte[arrayLength(t.bytes().byteSize(), t)];
        MemorySegment.copy(t.bytes(), ValueLayout.JAVA_BYTE, 0, out, 0, out.length);
        return out;
    }

    /** A tensor of rank 2 as a matrix; rank 1 is one row, and higher ranks keep the last extent as columns. */
    public static Matrix toMatrix(Tensor t) {
        int cols = cols(t);
        int rows = cols == 0 ? Math.toIntExact(t.shape().rank() < 2 ? 1 : t.shape().dim(0)) : Math.toIntExact(t.elements() / cols);
        return new Matrix(rows, cols, toFloats(t));
    }

    /** Rows {@code from … from + count - 1} of a tensor seen as {@code [elements / last extent, last extent]}. */
    public static Matrix toMatrix(Tensor t, long from, int count) {
        int cols = cols(t);
        Matrix m = new Matrix(count, cols);
        toFloats(t, Math.multiplyExact(from, (long) cols), m.data(), 0, m.data().length);
        return m;
    }

    /** Row {@code ids[i]} of {@code table} as row i of the result; only those rows are read. Throws IndexOutOfBoundsException for a row that is not there. */
    public static Matrix gatherRows(Tensor table, int[] ids) {
        int cols = cols(table);
        long rows = cols == 0 ? table.shape().dim(0) : table.elements() / cols;
        Matrix m = new Matrix(ids.length, cols);
        for (int i = 0; i < ids.length; i++) {
            if (ids[i] < 0 || ids[i] >= rows) {
                throw new IndexOutOfBoundsException("row " + ids[i] + " of a table of " + rows + " rows");
            }
            toFloats(table, (long) ids[i] * cols, m.data(), i * cols, cols);
        }
        return m;
    }

    /** Rows {@code from} (inclusive) to {@code to} (exclusive) of the first extent, sharing the bytes. */
    public static Tensor rows(Tensor t, long from, long to) {
        long[] dims = t.shape().dims();
        if (dims.length == 0 || from < 0 || to < from || to > dims[0]) {
            throw new IndexOutOfBoundsException("rows " + from + " to " + to + " of " + t.shape());
        }
        long bits = t.dtype().bits();
        for (int i = 1; i < dims.length; i++) {
            bits = Math.multiplyExact(bits, dims[i]);
        }
        if (bits % 8 != 0) {
            throw new IllegalArgumentException("rows of " + t.dtype() + t.shape() + " do not begin at bytes");
        }
        dims[0] = to - from;
        return new Tensor(t.dtype(), new Shape(dims), t.bytes().asSlice(from * (bits / 8), (to - from) * (bits / 8)));
    }

    /** A new tensor of that type, each value rounded as {@link Conversions} says; the 8-bit floats saturate. */
    public static Tensor fromFloats(DType dtype, Shape shape, float[] values, Arena arena) {
        if (shape.elements() != values.length) {
            throw new IllegalArgumentException(values.length + " values for " + shape);
        }
        Tensor t = Tensor.allocate(dtype, shape, arena);
        store(t, 0, values, 0, values.length);
        return t;
    }

    public static Tensor fromMatrix(DType dtype, Matrix m, Arena arena) {
        return fromFloats(dtype, new Shape(m.rows(), m.cols()), m.data(), arena);
    }

    /** Rounds {@code count} values to the tensor's float type (or, integers, casts exact ones) and stores them from element {@code to}. */
    public static void store(Tensor t, long to, float[] values, int from, int count) {
        check(t, to, count);
        MemorySegment s = t.bytes();
        switch (t.dtype()) {
            case F32 -> MemorySegment.copy(values, from, s, FLOAT, to * 4, count);
            case F64 -> {
                for (int i = 0; i < count; i++) {
                    s.set(DOUBLE, (to + i) * 8, values[from + i]);
                }
            }
            case F16, BF16 -> floatsToShorts(t, to, values, from, count);
            case F8_E4M3, F8_E5M2, F8_E8M0 -> {
                byte[] raw = BYTES.get();
                for (int i = 0; i < count; i += PIECE) {
                    int n = Math.min(PIECE, count - i);
                    switch (t.dtype()) {
                        case F8_E4M3 -> StoredFloats.get().floatsToE4m3(n, values, from + i, raw, 0, true);
                        case F8_E5M2 -> StoredFloats.get().floatsToE5m2(n, values, from + i, raw, 0, true);
                        default -> {
                            for (int k = 0; k < n; k++) {
                                raw[k] = Conversions.floatToE8m0(values[from + i + k], true);
                            }
                        }
                    }
                    MemorySegment.copy(raw, 0, s, ValueLayout.JAVA_BYTE, to + i, n);
                }
            }
            default -> {
                for (int i = 0; i < count; i++) {
                    float v = values[from + i];
                    if (v != (long) v) {
                        throw new ArithmeticException(v + " is not an integer for " + t.dtype());
                    }
                    setLong(t, to + i, (long) v);
                }
            }
        }
    }

    private static void floatsToShorts(Tensor t, long to, float[] values, int from, int count) {
        StoredFloats kernels = StoredFloats.get();
        short[] raw = SHORTS.get();
        boolean half = t.dtype() == DType.F16;
        for (int i = 0; i < count; i += PIECE) {
            int n = Math.min(PIECE, count - i);
            if (half) {
                kernels.floatsToF16(n, values, from + i, raw, 0);
            } else {
                kernels.floatsToBf16(n, values, from + i, raw, 0);
            }
            MemorySegment.copy(raw, 0, t.bytes(), SHORT, (to + i) * 2, n);
        }
    }

    /** Stores an integer; throws ArithmeticException where the type cannot hold it. */
    public static void setLong(Tensor t, long i, long v) {
        MemorySegment s = t.bytes();
        switch (t.dtype()) {
            case I64, U64 -> s.set(LONG, i * 8, v);
            case I32 -> s.set(INT, i * 4, (int) fit(t, v, Integer.MIN_VALUE, Integer.MAX_VALUE));
            case U32 -> s.set(INT, i * 4, (int) fit(t, v, 0, 0xffffffffL));
            case I16 -> s.set(SHORT, i * 2, (short) fit(t, v, Short.MIN_VALUE, Short.MAX_VALUE));
            case U16 -> s.set(SHORT, i * 2, (short) fit(t, v, 0, 0xffff));
            case I8 -> s.set(ValueLayout.JAVA_BYTE, i, (byte) fit(t, v, Byte.MIN_VALUE, Byte.MAX_VALUE));
            case U8 -> s.set(ValueLayout.JAVA_BYTE, i, (byte) fit(t, v, 0, 0xff));
            case BOOL -> s.set(ValueLayout.JAVA_BYTE, i, (byte) fit(t, v, 0, 1));
            default -> throw new IllegalArgumentException("cannot store integers or floats as " + t.dtype());
        }
    }

    private static long fit(Tensor t, long v, long min, long max) {
        if (v < min || v > max) {
            throw new ArithmeticException(v + " does not fit " + t.dtype());
        }
        return v;
    }

    public static Tensor fromInts(Shape shape, int[] values, Arena arena) {
        Tensor t = Tensor.allocate(DType.I32, shape, arena);
        require(shape, values.length);
        MemorySegment.copy(values, 0, t.bytes(), INT, 0, values.length);
        return t;
    }

    public static Tensor fromLongs(DType dtype, Shape shape, long[] values, Arena arena) {
        Tensor t = Tensor.allocate(dtype, shape, arena);
        require(shape, values.length);
        for (int i = 0; i < values.length; i++) {
            setLong(t, i, values[i]);
        }
        return t;
    }

    /** A tensor of an 8-bit type from its raw bytes. */
    public static Tensor fromBytes(DType dtype, Shape shape, byte[] raw, Arena arena) {
        Tensor t = Tensor.allocate(dtype, shape, arena);
        if (raw.length != t.bytes().byteSize()) {
            throw new IllegalArgumentException(raw.length + " bytes for " + dtype + shape);
        }
        MemorySegment.copy(raw, 0, t.bytes(), ValueLayout.JAVA_BYTE, 0, raw.length);
        return t;
    }

    private static void require(Shape shape, int n) {
        if (shape.elements() != n) {
            throw new IllegalArgumentException(n + " values for " + shape);
        }
    }

    private static int cols(Tensor t) {
        return Math.toIntExact(t.shape().rank() == 0 ? 1 : t.shape().dim(-1));
    }

    private static int arrayLength(long n, Tensor t) {
        if (n > Integer.MAX_VALUE - 8) {
            throw new IllegalArgumentException(t.dtype() + Arrays.toString(t.shape().dims()) + " does not fit one array; walk it by rows");
        }
        return (int) n;
    }

    private static void check(Tensor t, long from, int count) {
        java.util.Objects.checkFromIndexSize(from, count, t.elements());
    }
}
