package io.llmc4j.engine.kernel;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Register tiles of the products, two vectors wide: C[rows, 2 L] = or += A · B over one k-block, where A is packed as [k][rows] and B as
 * [k][2 L].
 *
 * <p>Every accumulator is a named local, because that is what the compiler keeps in registers: 24 of them (12 rows) where the processor has
 * 32 vector registers, 8 (4 rows) where it has 16. More does not fit: the compiler loads the values of A early, and one spilled accumulator
 * halves the speed (6 rows: 40 GFLOP/s on a Zen 3 core, 4 rows: 95). The steps are constants, because only then are the bounds checked once
 * before the loop. The methods are leaves that are called often, so each is compiled by itself.
 */
final class WideTiles {

    private static final VectorSpecies<Float> F = Lanes.F;
    private static final int L = Lanes.L;

    private WideTiles() {
    }

    /** The tile of this many rows. */
    static void rows(int rows, int k, float[] a, int aAt, float[] b, int bAt, float[] c, int cAt, int ldc, boolean add) {
        switch (rows) {
            case 12 -> rows12(k, a, aAt, b, bAt, c, cAt, ldc, add);
            case 4 -> rows4(k, a, aAt, b, bAt, c, cAt, ldc, add);
            case 3 -> rows3(k, a, aAt, b, bAt, c, cAt, ldc, add);
            case 2 -> rows2(k, a, aAt, b, bAt, c, cAt, ldc, add);
            case 1 -> rows1(k, a, aAt, b, bAt, c, cAt, ldc, add);
            default -> throw new IllegalArgumentException("no tile of " + rows + " rows");
        }
    }

    /** 12 rows by two vectors. */
    static void rows12(int k, float[] a, int aAt, float[] b, int bAt, float[] c, int cAt, int ldc, boolean add) {
        FloatVector c0x0 = FloatVector.zero(F);
        FloatVector c0x1 = FloatVector.zero(F);
        FloatVector c1x0 = FloatVector.zero(F);
        FloatVector c1x1 = FloatVector.zero(F);
        FloatVector c2x0 = FloatVector.zero(F);
        FloatVector c2x1 = FloatVector.zero(F);
        FloatVector c3x0 = FloatVector.zero(F);
        FloatVector c3x1 = FloatVector.zero(F);
        FloatVector c4x0 = FloatVector.zero(F);
        FloatVector c4x1 = FloatVector.zero(F);
        FloatVector c5x0 = FloatVector.zero(F);
        FloatVector c5x1 = FloatVector.zero(F);
        FloatVector c6x0 = FloatVector.zero(F);
        FloatVector c6x1 = FloatVector.zero(F);
        FloatVector c7x0 = FloatVector.zero(F);
        FloatVector c7x1 = FloatVector.zero(F);
        FloatVector c8x0 = FloatVector.zero(F);
        FloatVector c8x1 = FloatVector.zero(F);
        FloatVector c9x0 = FloatVector.zero(F);
        FloatVector c9x1 = FloatVector.zero(F);
        FloatVector c10x0 = FloatVector.zero(F);
        FloatVector c10x1 = FloatVector.zero(F);
        FloatVector c11x0 = FloatVector.zero(F);
        FloatVector c11x1 = FloatVector.zero(F);
        for (int p = 0, i = aAt, j = bAt; p < k; p++, i += 12, j += 2 * L) {
            FloatVector b0 = FloatVector.fromArray(F, b, j);
            FloatVector b1 = FloatVector.fromArray(F, b, j + L);
            FloatVector a0 = FloatVector.broadcast(F, a[i]);
            c0x0 = a0.fma(b0, c0x0);
            c0x1 = a0.fma(b1, c0x1);
            FloatVector a1 = FloatVector.broadcast(F, a[i + 1]);
            c1x0 = a1.fma(b0, c1x0);
            c1x1 = a1.fma(b1, c1x1);
            FloatVector a2 = FloatVector.broadcast(F, a[i + 2]);
            c2x0 = a2.fma(b0, c2x0);
            c2x1 = a2.fma(b1, c2x1);
            FloatVector a3 = FloatVector.broadcast(F, a[i + 3]);
            c3x0 = a3.fma(b0, c3x0);
            c3x1 = a3.fma(b1, c3x1);
            FloatVector a4 = FloatVector.broadcast(F, a[i + 4]);
            c4x0 = a4.fma(b0, c4x0);
            c4x1 = a4.fma(b1, c4x1);
            FloatVector a5 = FloatVector.broadcast(F, a[i + 5]);
            c5x0 = a5.fma(b0, c5x0);
            c5x1 = a5.fma(b1, c5x1);
            FloatVector a6 = FloatVector.broadcast(F, a[i + 6]);
            c6x0 = a6.fma(b0, c6x0);
            c6x1 = a6.fma(b1, c6x1);
            FloatVector a7 = FloatVector.broadcast(F, a[i + 7]);
            c7x0 = a7.fma(b0, c7x0);
            c7x1 = a7.fma(b1, c7x1);
            FloatVector a8 = FloatVector.broadcast(F, a[i + 8]);
            c8x0 = a8.fma(b0, c8x0);
            c8x1 = a8.fma(b1, c8x1);
            FloatVector a9 = FloatVector.broadcast(F, a[i + 9]);
            c9x0 = a9.fma(b0, c9x0);
            c9x1 = a9.fma(b1, c9x1);
            FloatVector a10 = FloatVector.broadcast(F, a[i + 10]);
            c10x0 = a10.fma(b0, c10x0);
            c10x1 = a10.fma(b1, c10x1);
            FloatVector a11 = FloatVector.broadcast(F, a[i + 11]);
            c11x0 = a11.fma(b0, c11x0);
            c11x1 = a11.fma(b1, c11x1);
        }
        store(c0x0, c, cAt, add);
        store(c0x1, c, cAt + L, add);
        store(c1x0, c, cAt + ldc, add);
        store(c1x1, c, cAt + ldc + L, add);
        store(c2x0, c, cAt + 2 * ldc, add);
        store(c2x1, c, cAt + 2 * ldc + L, add);
        store(c3x0, c, cAt + 3 * ldc, add);
        store(c3x1, c, cAt + 3 * ldc + L, add);
        store(c4x0, c, cAt + 4 * ldc, add);
        store(c4x1, c, cAt + 4 * ldc + L, add);
        store(c5x0, c, cAt + 5 * ldc, add);
        store(c5x1, c, cAt + 5 * ldc + L, add);
        store(c6x0, c, cAt + 6 * ldc, add);
        store(c6x1, c, cAt + 6 * ldc + L, add);
        store(c7x0, c, cAt + 7 * ldc, add);
        store(c7x1, c, cAt + 7 * ldc + L, add);
        store(c8x0, c, cAt + 8 * ldc, add);
        store(c8x1, c, cAt + 8 * ldc + L, add);
        store(c9x0, c, cAt + 9 * ldc, add);
        store(c9x1, c, cAt + 9 * ldc + L, add);
        store(c10x0, c, cAt + 10 * ldc, add);
        store(c10x1, c, cAt + 10 * ldc + L, add);
        store(c11x0, c, cAt + 11 * ldc, add);
        store(c11x1, c, cAt + 11 * ldc + L, add);
    }

    /** 4 rows by two vectors. */
    static void rows4(int k, float[] a, int aAt, float[] b, int bAt, float[] c, int cAt, int ldc, boolean add) {
        FloatVector c0x0 = FloatVector.zero(F);
        FloatVector c0x1 = FloatVector.zero(F);
        FloatVector c1x0 = FloatVector.zero(F);
        FloatVector c1x1 = FloatVector.zero(F);
        FloatVector c2x0 = FloatVector.zero(F);
        FloatVector c2x1 = FloatVector.zero(F);
        FloatVector c3x0 = FloatVector.zero(F);
        FloatVector c3x1 = FloatVector.zero(F);
        for (int p = 0, i = aAt, j = bAt; p < k; p++, i += 4, j += 2 * L) {
            FloatVector b0 = FloatVector.fromArray(F, b, j);
            FloatVector b1 = FloatVector.fromArray(F, b, j + L);
            FloatVector a0 = FloatVector.broadcast(F, a[i]);
            c0x0 = a0.fma(b0, c0x0);
            c0x1 = a0.fma(b1, c0x1);
            FloatVector a1 = FloatVector.broadcast(F, a[i + 1]);
            c1x0 = a1.fma(b0, c1x0);
            c1x1 = a1.fma(b1, c1x1);
            FloatVector a2 = FloatVector.broadcast(F, a[i + 2]);
            c2x0 = a2.fma(b0, c2x0);
            c2x1 = a2.fma(b1, c2x1);
            FloatVector a3 = FloatVector.broadcast(F, a[i + 3]);
            c3x0 = a3.fma(b0, c3x0);
            c3x1 = a3.fma(b1, c3x1);
        }
        store(c0x0, c, cAt, add);
        store(c0x1, c, cAt + L, add);
        store(c1x0, c, cAt + ldc, add);
        store(c1x1, c, cAt + ldc + L, add);
        store(c2x0, c, cAt + 2 * ldc, add);
        store(c2x1, c, cAt + 2 * ldc + L, add);
        store(c3x0, c, cAt + 3 * ldc, add);
        store(c3x1, c, cAt + 3 * ldc + L, add);
    }

    /** 3 rows by two vectors. */
    static void rows3(int k, float[] a, int aAt, float[] b, int bAt, float[] c, int cAt, int ldc, boolean add) {
        FloatVector c0x0 = FloatVector.zero(F);
        FloatVector c0x1 = FloatVector.zero(F);
        FloatVector c1x0 = FloatVector.zero(F);
        FloatVector c1x1 = FloatVector.zero(F);
        FloatVector c2x0 = FloatVector.zero(F);
        FloatVector c2x1 = FloatVector.zero(F);
        for (int p = 0, i = aAt, j = bAt; p < k; p++, i += 3, j += 2 * L) {
            FloatVector b0 = FloatVector.fromArray(F, b, j);
            FloatVector b1 = FloatVector.fromArray(F, b, j + L);
            FloatVector a0 = FloatVector.broadcast(F, a[i]);
            c0x0 = a0.fma(b0, c0x0);
            c0x1 = a0.fma(b1, c0x1);
            FloatVector a1 = FloatVector.broadcast(F, a[i + 1]);
            c1x0 = a1.fma(b0, c1x0);
            c1x1 = a1.fma(b1, c1x1);
            FloatVector a2 = FloatVector.broadcast(F, a[i + 2]);
            c2x0 = a2.fma(b0, c2x0);
            c2x1 = a2.fma(b1, c2x1);
        }
        store(c0x0, c, cAt, add);
        store(c0x1, c, cAt + L, add);
        store(c1x0, c, cAt + ldc, add);
        store(c1x1, c, cAt + ldc + L, add);
        store(c2x0, c, cAt + 2 * ldc, add);
        store(c2x1, c, cAt + 2 * ldc + L, add);
    }

    /** 2 rows by two vectors. */
    static void rows2(int k, float[] a, int aAt, float[] b, int bAt, float[] c, int cAt, int ldc, boolean add) {
        FloatVector c0x0 = FloatVector.zero(F);
        FloatVector c0x1 = FloatVector.zero(F);
        FloatVector c1x0 = FloatVector.zero(F);
        FloatVector c1x1 = FloatVector.zero(F);
        for (int p = 0, i = aAt, j = bAt; p < k; p++, i += 2, j += 2 * L) {
            FloatVector b0 = FloatVector.fromArray(F, b, j);
            FloatVector b1 = FloatVector.fromArray(F, b, j + L);
            FloatVector a0 = FloatVector.broadcast(F, a[i]);
            c0x0 = a0.fma(b0, c0x0);
            c0x1 = a0.fma(b1, c0x1);
            FloatVector a1 = FloatVector.broadcast(F, a[i + 1]);
            c1x0 = a1.fma(b0, c1x0);
            c1x1 = a1.fma(b1, c1x1);
        }
        store(c0x0, c, cAt, add);
        store(c0x1, c, cAt + L, add);
        store(c1x0, c, cAt + ldc, add);
        store(c1x1, c, cAt + ldc + L, add);
    }

    /** 1 row by two vectors. */
    static void rows1(int k, float[] a, int aAt, float[] b, int bAt, float[] c, int cAt, int ldc, boolean add) {
        FloatVector c0x0 = FloatVector.zero(F);
        FloatVector c0x1 = FloatVector.zero(F);
        for (int p = 0, i = aAt, j = bAt; p < k; p++, i += 1, j += 2 * L) {
            FloatVector b0 = FloatVector.fromArray(F, b, j);
            FloatVector b1 = FloatVector.fromArray(F, b, j + L);
            FloatVector a0 = FloatVector.broadcast(F, a[i]);
            c0x0 = a0.fma(b0, c0x0);
            c0x1 = a0.fma(b1, c0x1);
        }
        store(c0x0, c, cAt, add);
        store(c0x1, c, cAt + L, add);
    }

    private static void store(FloatVector v, float[] c, int at, boolean add) {
        (add ? FloatVector.fromArray(F, c, at).add(v) : v).intoArray(c, at);
    }
}
