package io.llmc4j.formats.export.gguf;

import io.llmc4j.engine.BadInput;
import io.llmc4j.formats.export.gguf.GgufValue.Kind;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** Reads a file's header front to back; every length is held against what is left before anything is allocated. */
final class GgufCursor {

    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    /** Longest text; a chat template has some thousand bytes. */
    private static final long LONGEST_TEXT = 1L << 26;

    private final String file;
    private final MemorySegment bytes;
    private long at;

    GgufCursor(String file, MemorySegment bytes) {
        this.file = file;
        this.bytes = bytes;
    }

    long at() {
        return at;
    }

    BadInput bad(GgufError kind, String format, Object... args) {
        return new BadInput(kind, file + ": " + String.format(java.util.Locale.ROOT, format, args));
    }

    private long take(long n, String what) {
        if (n > bytes.byteSize() - at) {
            throw bad(GgufError.TRUNCATED, "the file ends inside %s: %d bytes from offset %d, %d in the file", what, n, at, bytes.byteSize());
        }
        long from = at;
        at += n;
        return from;
    }

    int u32(String what) {
        return bytes.get(INT, take(4, what));
    }

    long u64(String what) {
        return bytes.get(LONG, take(8, what));
    }

    /** A count of things of at least {@code least} bytes each. */
    int count(String what, long least) {
        long n = u64(what);
        long most = Math.min(Integer.MAX_VALUE - 8, (bytes.byteSize() - at) / least);
        if (n < 0 || n > most) {
            throw bad(GgufError.LIMIT, "%s is %s; the file has room for %d", what, Long.toUnsignedString(n), most);
        }
        return (int) n;
    }

    String text(String what) {
        long n = u64("the length of " + what);
        if (n < 0 || n > LONGEST_TEXT) {
            throw bad(GgufError.LIMIT, "%s has a length of %s bytes; at most %d are allowed", what, Long.toUnsignedString(n), LONGEST_TEXT);
        }
        ByteBuffer text = bytes.asSlice(take(n, what), n).asByteBuffer();
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(text).toString();
        } catch (CharacterCodingException e) {
            throw bad(GgufError.TEXT, "%s is not UTF-8", what);
        }
    }

    Kind kind(String what) {
        int id = u32(what);
        if (id < 0 || id >= Kind.values().length) {
            throw bad(GgufError.TYPE, "%s is %s; value types are 0 to %d", what, Integer.toUnsignedString(id), Kind.values().length - 1);
        }
        return Kind.values()[id];
    }

    GgufValue value(String key) {
        Kind kind = kind("the type of " + key);
        if (kind != Kind.ARRAY) {
            return scalar(kind, key);
        }
        Kind element = kind("the element type of " + key);
        if (element == Kind.ARRAY) {
            throw bad(GgufError.TYPE, "%s is an array of arrays, which llama.cpp does not read either", key);
        }
        int n = count("the number of elements of " + key, element == Kind.TEXT ? 8 : element.bytes());
        List<GgufValue> values = new ArrayList<>(n);
        for (int i = 0; i < n; i++) {
            values.add(scalar(element, key));
        }
        return new GgufValue.Array(element, values);
    }

    private GgufValue scalar(Kind kind, String key) {
        return switch (kind) {
            case TEXT -> new GgufValue.Text(text(key));
            case BOOL -> new GgufValue.Bool(flag(key));
            case F32 -> new GgufValue.Real(kind, Float.intBitsToFloat(u32(key)));
            case F64 -> new GgufValue.Real(kind, Double.longBitsToDouble(u64(key)));
            case U8 -> new GgufValue.Whole(kind, bytes.get(ValueLayout.JAVA_BYTE, take(1, key)) & 0xff);
            case I8 -> new GgufValue.Whole(kind, bytes.get(ValueLayout.JAVA_BYTE, take(1, key)));
            case U16 -> new GgufValue.Whole(kind, bytes.get(SHORT, take(2, key)) & 0xffff);
            case I16 -> new GgufValue.Whole(kind, bytes.get(SHORT, take(2, key)));
            case U32 -> new GgufValue.Whole(kind, u32(key) & 0xffffffffL);
            case I32 -> new GgufValue.Whole(kind, u32(key));
            case I64 -> new GgufValue.Whole(kind, u64(key));
            case U64 -> {
                long v = u64(key);
                if (v < 0) {
                    throw bad(GgufError.LIMIT, "%s is %s; numbers above 2^63 - 1 are not supported", key, Long.toUnsignedString(v));
                }
                yield new GgufValue.Whole(kind, v);
            }
            case ARRAY -> throw new IllegalStateException();
        };
    }

    private boolean flag(String key) {
        byte b = bytes.get(ValueLayout.JAVA_BYTE, take(1, key));
        if (b != 0 && b != 1) {
            throw bad(GgufError.TYPE, "%s is a boolean with the byte %d; 0 or 1 are allowed", key, b & 0xff);
        }
        return b == 1;
    }
}
