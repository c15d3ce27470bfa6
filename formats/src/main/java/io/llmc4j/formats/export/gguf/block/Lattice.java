package io.llmc4j.formats.export.gguf.block;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * Points that a group of coordinates can take together (the E8- and D4-like grids of the IQ types). A point is named by its coordinates
 * packed into one number, lowest first; what is not on the lattice has neighbours: the points at its few smallest distances.
 */
final class Lattice {

    static final Lattice IQ2_XXS = new Lattice(0, 256, 8, 2);
    static final Lattice IQ2_XS = new Lattice(256, 512, 8, 2);
    static final Lattice IQ2_S = new Lattice(768, 1024, 8, 1);
    static final Lattice IQ1 = new Lattice(1792, 2048, 8, 3);
    static final Lattice IQ3_XXS = new Lattice(3840, 256, 4, 2);
    static final Lattice IQ3_S = new Lattice(4096, 512, 4, 3);

    private final int dims;
    private final int bits;
    private final int shells;
    private final byte[] coordinates;
    private final short[] indexOf;
    private final AtomicReferenceArray<short[]> neighbours;

    /** @param shells how many different distances neighbours may have */
    private Lattice(int first, int count, int dims, int shells) {
        this.dims = dims;
        this.bits = 16 / dims == 2 ? 2 : 3;
        this.shells = shells;
        this.coordinates = new byte[count * dims];
        this.indexOf = new short[1 << bits * dims];
        this.neighbours = new AtomicReferenceArray<>(indexOf.length);
        java.util.Arrays.fill(indexOf, (short) -1);
        byte[] table = Table.BYTES;
        for (int p = 0; p < count; p++) {
            int packed = Bits.shortAt(table, 2 * (first + p));
            indexOf[packed] = (short) p;
            for (int i = 0; i < dims; i++) {
                coordinates[p * dims + i] = (byte) (packed >> bits * i & (1 << bits) - 1);
            }
        }
    }

    /** The tables, loaded once. */
    private static final class Table {
        private static final byte[] BYTES = load();

        private static byte[] load() {
            try (InputStream in = Lattice.class.getResourceAsStream("iq-grids.bin")) {
                return in.readAllBytes();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    int dims() {
        return dims;
    }

    /** Coordinate i of a point, 0 … 2^bits - 1. */
    int coordinate(int point, int i) {
        return coordinates[point * dims + i];
    }

    /** {@link #dims()} coordinates from {@code at}, packed. */
    int pack(byte[] coordinates, int at) {
        int packed = 0;
        for (int i = 0; i < dims; i++) {
            packed |= coordinates[at + i] << bits * i;
        }
        return packed;
    }

    /** The point with these coordinates, or -1. */
    int point(int packed) {
        return indexOf[packed];
    }

    /** Points near what is not on the lattice: by distance, then by index. Computed at first use; two threads find the same. */
    short[] neighbours(int packed) {
        short[] list = neighbours.get(packed);
        if (list == null) {
            list = find(packed);
            neighbours.set(packed, list);
        }
        return list;
    }

    private short[] find(int packed) {
        int count = coordinates.length / dims;
        int[] distance = new int[count];
        int[] members = new int[dims * (1 << 2 * bits)];
        for (int p = 0; p < count; p++) {
            int d2 = 0;
            for (int i = 0; i < dims; i++) {
                int d = coordinates[p * dims + i] - (packed >> bits * i & (1 << bits) - 1);
                d2 += d * d;
            }
            distance[p] = d2;
            members[d2]++;
        }
        int farthest = 0;
        int total = members[0];
        for (int shell = members[0] > 0 ? 1 : 0; shell < shells && farthest < members.length - 1;) {
            farthest++;
            total += members[farthest];
            shell += members[farthest] > 0 ? 1 : 0;
        }
        short[] list = new short[total];
        int n = 0;
        for (int d2 = 0; d2 <= farthest; d2++) {
            for (int p = 0; members[d2] > 0 && p < count; p++) {
                if (distance[p] == d2) {
                    list[n++] = (short) p;
                }
            }
        }
        return list;
    }
}
