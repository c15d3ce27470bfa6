package io.llmc4j.engine.linalg;

import java.util.Arrays;

/**
 * The ±1 matrices H with H Hᵀ = K I that have no power of two as their order, by construction: Paley's first and second, doubling (Sylvester),
 * and Williamson's with circulant symmetric blocks.
 */
final class HadamardTables {

    /** Orders that there is a table for, in the order in which a size tries them. */
    private static final int[] ORDERS = {172, 156, 140, 108, 60, 52, 36, 28, 40, 20, 12};

    private HadamardTables() {
    }

    static int[] orders() {
        return ORDERS.clone();
    }

    /** Row-major ±1. */
    static byte[] table(int order) {
        return switch (order) {
            case 1 -> new byte[] {1};
            case 12, 20, 60, 108, 140 -> paleyOne(order - 1);
            case 28, 36 -> paleyTwo(order / 2 - 1);
            case 40 -> doubled(20);
            case 52 -> williamson(13, "+-+--++", "+---+++", "++-+--+", "+----+-");
            case 156 -> williamson(39, "+++--+-+-----+--++--", "++++---+--++----+-+-", "+++--++-+---+-+--+--", "+---++-+-+-----+++-+");
            case 172 -> williamson(43, "+---++--++++-+-+++-++-", "++-++++++----+-+--++-+", "+++-+-++--+-+-++++-+--", "++---++++-+--+--++----");
            default -> throw new IllegalArgumentException("no Hadamard table of order " + order + "; there are " + Arrays.toString(ORDERS));
        };
    }

    /** leg[a]: 1 where a is a square modulo the prime q, -1 where it is not, 0 for a = 0. */
    private static int[] legendre(int q) {
        int[] leg = new int[q];
        Arrays.fill(leg, -1);
        leg[0] = 0;
        for (int a = 1; a < q; a++) {
            leg[a * a % q] = 1;
        }
        return leg;
    }

    /** I + S with S skew: order q + 1, q = 3 modulo 4. */
    private static byte[] paleyOne(int q) {
        int[] leg = legendre(q);
        int k = q + 1;
        byte[] h = new byte[k * k];
        for (int i = 0; i < k; i++) {
            for (int j = 0; j < k; j++) {
                int v = i == 0 ? (j == 0 ? 1 : -1) : j == 0 ? 1 : (i == j ? 1 : 0) - leg[Math.floorMod(j - i, q)];
                h[i * k + j] = (byte) v;
            }
        }
        return h;
    }

    /** [S + I, S - I; S - I, -S - I] with S symmetric: order 2 (q + 1), q = 1 modulo 4. */
    private static byte[] paleyTwo(int q) {
        int[] leg = legendre(q);
        int r = q + 1;
        int k = 2 * r;
        byte[] h = new byte[k * k];
        for (int i = 0; i < r; i++) {
            for (int j = 0; j < r; j++) {
                int s = i == j ? 0 : i == 0 || j == 0 ? 1 : leg[Math.floorMod(j - i, q)];
                int e = i == j ? 1 : 0;
                h[i * k + j] = (byte) (s + e);
                h[i * k + r + j] = (byte) (s - e);
                h[(r + i) * k + j] = (byte) (s - e);
                h[(r + i) * k + r + j] = (byte) (-s - e);
            }
        }
        return h;
    }

    private static byte[] doubled(int order) {
        byte[] g = table(order);
        int k = 2 * order;
        byte[] h = new byte[k * k];
        for (int i = 0; i < k; i++) {
            for (int j = 0; j < k; j++) {
                byte v = g[i % order * order + j % order];
                h[i * k + j] = i >= order && j >= order ? (byte) -v : v;
            }
        }
        return h;
    }

    /** [A B C D; -B A -D C; -C D A -B; -D -C B A]; each block is circulant and symmetric, given by the first half of its first row. */
    private static byte[] williamson(int n, String a, String b, String c, String d) {
        String[] halves = {a, b, c, d};
        int[][] block = {{0, 1, 2, 3}, {1, 0, 3, 2}, {2, 3, 0, 1}, {3, 2, 1, 0}};
        int[][] sign = {{1, 1, 1, 1}, {-1, 1, -1, 1}, {-1, 1, 1, -1}, {-1, -1, 1, 1}};
        int k = 4 * n;
        byte[] h = new byte[k * k];
        for (int i = 0; i < k; i++) {
            for (int j = 0; j < k; j++) {
                int at = Math.floorMod(j % n - i % n, n);
                char v = halves[block[i / n][j / n]].charAt(Math.min(at, n - at));
                h[i * k + j] = (byte) (sign[i / n][j / n] * (v == '+' ? 1 : -1));
            }
        }
        return h;
    }
}
