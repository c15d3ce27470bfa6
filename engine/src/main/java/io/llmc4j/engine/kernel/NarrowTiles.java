package io.llmc4j.engine.kernel;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/** The tiles of {@link WideTiles}, one vector wide, for the last columns of a product; A may have more rows than the tile ({@code aStep}). */
final class NarrowTiles {

    private static final VectorSpecies<Float> F = Lanes.F;
    private static final int L = Lanes.L;

    private NarrowTiles() {
    }

    /** The tile of this many rows. */
    static void rows(int rows, int k, float[] a, int aAt, int aStep, float[] b, int bAt, float[] c, int cAt, int ldc, boolean add) {
        switch (rows) {
            case 4 -> rows4(k, a, aAt, aStep, b, bAt, c, cAt, ldc, add);
            case 3 -> rows3(k, a, aAt, aStep, b, bAt, c, cAt, ldc, add);
            case 2 -> rows2(k, a, aAt, aStep, b, bAt, c, cAt, ldc, add);
            case 1 -> rows1(k, a, aAt, aStep, b, bAt, c, cAt, ldc, add);
            default -> throw new IllegalArgumentException("no tile of " + rows + " rows");
        }
    }

    /** 8 rows by one vector: rows 4 to 7 begin at {@code a4At}. Four sums alone would wait for themselves. */
    static void rows8(int k, float[] a, int aAt, int a4At, float[] b, int bAt, float[] c, int cAt, int ldc, boolean add) {
        FloatVector c0x0 = FloatVector.zero(F);
        FloatVector c1x0 = FloatVector.zero(F);
        FloatVector c2x0 = FloatVector.zero(F);
        FloatVector c3x0 = FloatVector.zero(F);
        FloatVector c4x0 = FloatVector.zero(F);
        FloatVector c5x0 = FloatVector.zero(F);
        FloatVector c6x0 = FloatVector.zero(F);
        FloatVector c7x0 = FloatVector.zero(F);
        for (int p = 0, i = aAt, h = a4At, j = bAt; p < k; p++, i += 4, h += 4, j += L) {
            FloatVector b0 = FloatVector.fromArray(F, b, j);
            FloatVector a0 = FloatVector.broadcast(F, a[i]);
            c0x0 = a0.fma(b0, c0x0);
            FloatVector a1 = FloatVector.broadcast(F, a[i + 1]);
            c1x0 = a1.fma(b0, c1x0);
            FloatVector a2 = FloatVector.broadcast(F, a[i + 2]);
            c2x0 = a2.fma(b0, c2x0);
            FloatVector a3 = FloatVector.broadcast(F, a[i + 3]);
            c3x0 = a3.fma(b0, c3x0);
            FloatVector a4 = FloatVector.broadcast(F, a[h]);
            c4x0 = a4.fma(b0, c4x0);
            FloatVector a5 = FloatVector.broadcast(F, a[h + 1]);
            c5x0 = a5.fma(b0, c5x0);
            FloatVector a6 = FloatVector.broadcast(F, a[h + 2]);
            c6x0 = a6.fma(b0, c6x0);
            FloatVector a7 = FloatVector.broadcast(F, a[h + 3]);
            c7x0 = a7.fma(b0, c7x0);
        }
        store(c0x0, c, cAt, add);
        store(c1x0, c, cAt + ldc, add);
        store(c2x0, c, cAt + 2 * ldc, add);
        store(c3x0, c, cAt + 3 * ldc, add);
        store(c4x0, c, cAt + 4 * ldc, add);
        store(c5x0, c, cAt + 5 * ldc, add);
        store(c6x0, c, cAt + 6 * ldc, add);
        store(c7x0, c, cAt + 7 * ldc, add);
    }

    /** 4 rows by one vector. */
    static void rows4(int k, float[] a, int aAt, int aStep, float[] b, int bAt, float[] c, int cAt, int ldc, boolean add) {
        FloatVector c0x0 = FloatVector.zero(F);
        FloatVector c1x0 = FloatVector.zero(F);
        FloatVector c2x0 = FloatVector.zero(F);
        FloatVector c3x0 = FloatVector.zero(F);
        for (int p = 0, i = aAt, j = bAt; p < k; p++, i += aStep, j += L) {
            FloatVector b0 = FloatVector.fromArray(F, b, j);
            FloatVector a0 = FloatVector.broadcast(F, a[i]);
            c0x0 = a0.fma(b0, c0x0);
            FloatVector a1 = FloatVector.broadcast(F, a[i + 1]);
            c1x0 = a1.fma(b0, c1x0);
            FloatVector a2 = FloatVector.broadcast(F, a[i + 2]);
            c2x0 = a2.fma(b0, c2x0);
            FloatVector a3 = FloatVector.broadcast(F, a[i + 3]);
            c3x0 = a3.fma(b0, c3x0);
        }
        store(c0x0, c, cAt, add);
        store(c1x0, c, cAt + ldc, add);
        store(c2x0, c, cAt + 2 * ldc, add);
        store(c3x0, c, cAt + 3 * ldc, add);
    }

    /** 3 rows by one vector. */
    static void rows3(int k, float[] a, int aAt, int aStep, float[] b, int bAt, float[] c, int cAt, int ldc, boolean add) {
        FloatVector c0x0 = FloatVector.zero(F);
        FloatVector c1x0 = FloatVector.zero(F);
        FloatVector c2x0 = FloatVector.zero(F);
        for (int p = 0, i = aAt, j = bAt; p < k; p++, i += aStep, j += L) {
            FloatVector b0 = FloatVector.fromArray(F, b, j);
            FloatVector a0 = FloatVector.broadcast(F, a[i]);
            c0x0 = a0.fma(b0, c0x0);
            FloatVector a1 = FloatVector.broadcast(F, a[i + 1]);
            c1x0 = a1.fma(b0, c1x0);
            FloatVector a2 = FloatVector.broadcast(F, a[i + 2]);
            c2x0 = a2.fma(b0, c2x0);
        }
        store(c0x0, c, cAt, add);
        store(c1x0, c, cAt + ldc, add);
        store(c2x0, c, cAt + 2 * ldc, add);
    }

    /** 2 rows by one vector. */
    static void rows2(int k, float[] a, int aAt, int aStep, float[] b, int bAt, float[] c, int cAt, int ldc, boolean add) {
        FloatVector c0x0 = FloatVector.zero(F);
        FloatVector c1x0 = FloatVector.zero(F);
        for (int p = 0, i = aAt, j = bAt; p < k; p++, i += aStep, j += L) {
            FloatVector b0 = FloatVector.fromArray(F, b, j);
            FloatVector a0 = FloatVector.broadcast(F, a[i]);
            c0x0 = a0.fma(b0, c0x0);
            FloatVector a1 = FloatVector.broadcast(F, a[i + 1]);
            c1x0 = a1.fma(b0, c1x0);
        }
        store(c0x0, c, cAt, add);
        store(c1x0, c, cAt + ldc, add);
    }

    /** 1 row by one vector. */
    static void rows1(int k, float[] a, int aAt, int aStep, float[] b, int bAt, float[] c, int cAt, int ldc, boolean add) {
        FloatVector c0x0 = FloatVector.zero(F);
        for (int p = 0, i = aAt, j = bAt; p < k; p++, i += aStep, j += L) {
            FloatVector b0 = FloatVector.fromArray(F, b, j);
            FloatVector a0 = FloatVector.broadcast(F, a[i]);
            c0x0 = a0.fma(b0, c0x0);
        }
        store(c0x0, c, cAt, add);
    }

    private static void store(FloatVector v, float[] c, int at, boolean add) {
        (add ? FloatVector.fromArray(F, c, at).add(v) : v).intoArray(c, at);
    }
}
