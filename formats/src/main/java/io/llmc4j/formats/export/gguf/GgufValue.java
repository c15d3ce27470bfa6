package io.llmc4j.formats.export.gguf;

import java.util.List;

/** A metadata value with its type in the file. */
public sealed interface GgufValue {

    /** The value's type. */
    Kind kind();

    /** Value types by their number in the file. */
    enum Kind {
        U8(1), I8(1), U16(2), I16(2), U32(4), I32(4), F32(4), BOOL(1), TEXT(0), ARRAY(0), U64(8), I64(8), F64(8);

        private final int bytes;

        Kind(int bytes) {
            this.bytes = bytes;
        }

        /** Bytes of one value; 0 where they differ. */
        public int bytes() {
            return bytes;
        }
    }

    /** Any integer; unsigned 64-bit values above the signed range are refused when read. */
    record Whole(Kind kind, long value) implements GgufValue { }

    /** F32 or F64. */
    record Real(Kind kind, double value) implements GgufValue { }

    record Bool(boolean value) implements GgufValue {
        @Override
        public Kind kind() {
            return Kind.BOOL;
        }
    }

    record Text(String value) implements GgufValue {
        @Override
        public Kind kind() {
            return Kind.TEXT;
        }
    }

    /** Values of one kind; no arrays of arrays (llama.cpp reads none). */
    record Array(Kind element, List<GgufValue> values) implements GgufValue {

        public Array {
            values = List.copyOf(values);
            for (GgufValue v : values) {
                if (v.kind() != element || element == Kind.ARRAY) {
                    throw new IllegalArgumentException(v.kind() + " in an array of " + element);
                }
            }
        }

        @Override
        public Kind kind() {
            return Kind.ARRAY;
        }
    }
}
