package io.llmc4j.engine.kernel;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** Eight four-bit codes in a word and in eight bytes, by shifts of a long: as fast as memory, and without a vector that might be boxed. */
final class Nibbles {

    private static final VarHandle EIGHT = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    private Nibbles() {
    }

    /** The low halves of eight bytes, drawn together. */
    static int pack(byte[] codes, int at) {
        long v = (long) EIGHT.get(codes, at) & 0x0f0f0f0f0f0f0f0fL;
        v = (v | v >>> 4) & 0x00ff00ff00ff00ffL;
        v = (v | v >>> 8) & 0x0000ffff0000ffffL;
        return (int) (v | v >>> 16);
    }

    /** The nibbles of a word, a byte each. */
    static void unpack(int word, byte[] codes, int at) {
        long v = word & 0xffffffffL;
        v = (v | v << 16) & 0x0000ffff0000ffffL;
        v = (v | v << 8) & 0x00ff00ff00ff00ffL;
        EIGHT.set(codes, at, (v | v << 4) & 0x0f0f0f0f0f0f0f0fL);
    }
}
