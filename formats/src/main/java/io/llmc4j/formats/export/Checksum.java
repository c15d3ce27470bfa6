package io.llmc4j.formats.export;

import io.llmc4j.engine.kernel.Parallel;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.util.HexFormat;

/**
 * Tells arrays of this program apart that should be the same, far faster than a cryptographic sum and in all threads: 64 bits a piece, mixed by
 * multiplications that lose nothing, and SHA-256 over the pieces. Two arrays that differ in one element never have the same sum.
 */
final class Checksum {

    private static final VarHandle LONGS = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    /** Odd, so that to multiply by it is to permute the numbers of 64 bits. */
    private static final long ODD = 0x9e3779b97f4a7c15L;
    private static final int PIECE = 1 << 16;

    private final MessageDigest sha = ShardStage.sha256();

    Checksum add(byte[] values) {
        return pieces(values.length, (from, to) -> sum(values, from, to));
    }

    Checksum add(float[] values) {
        return pieces(values.length, (from, to) -> sum(values, from, to));
    }

    String text() {
        return HexFormat.of().formatHex(sha.digest());
    }

    private interface Piece {
        long sum(int from, int to);
    }

    private Checksum pieces(int n, Piece piece) {
        long[] sums = new long[Math.ceilDiv(n, PIECE) + 1];
        sums[sums.length - 1] = n;
        Parallel.forRange(n, PIECE, (from, to) -> sums[from / PIECE] = piece.sum(from, to));
        ByteBuffer bytes = ByteBuffer.allocate(8 * sums.length);
        bytes.asLongBuffer().put(sums);
        sha.update(bytes);
        return this;
    }

    private static long sum(byte[] v, int from, int to) {
        long a = 1;
        long b = 2;
        long c = 3;
        long d = 4;
        int i = from;
        for (; i <= to - 32; i += 32) {
            a = mixed(a, (long) LONGS.get(v, i));
            b = mixed(b, (long) LONGS.get(v, i + 8));
            c = mixed(c, (long) LONGS.get(v, i + 16));
            d = mixed(d, (long) LONGS.get(v, i + 24));
        }
        for (; i < to; i++) {
            a = mixed(a, v[i]);
        }
        return joined(a, b, c, d);
    }

    private static long sum(float[] v, int from, int to) {
        long a = 1;
        long b = 2;
        long c = 3;
        long d = 4;
        int i = from;
        for (; i <= to - 8; i += 8) {
            a = mixed(a, pair(v, i));
            b = mixed(b, pair(v, i + 2));
            c = mixed(c, pair(v, i + 4));
            d = mixed(d, pair(v, i + 6));
        }
        for (; i < to; i++) {
            a = mixed(a, Float.floatToRawIntBits(v[i]));
        }
        return joined(a, b, c, d);
    }

    private static long pair(float[] v, int i) {
        return Float.floatToRawIntBits(v[i]) & 0xffffffffL | (long) Float.floatToRawIntBits(v[i + 1]) << 32;
    }

    /** The high bits of a product depend on all bits below them, and are turned to the low end for the next one. */
    private static long mixed(long sum, long value) {
        return Long.rotateLeft((sum ^ value) * ODD, 29);
    }

    private static long joined(long a, long b, long c, long d) {
        return mixed(mixed(mixed(a, b), c), d);
    }
}
