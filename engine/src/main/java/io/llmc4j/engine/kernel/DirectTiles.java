package io.llmc4j.engine.kernel;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/** The tiles of {@link WideTiles} over a B that was not packed: its rows lie {@code bStep} apart. Pays when C has few rows. */
final class DirectTiles {

    private static final VectorSpecies<Float> F = Lanes.F;
    private static final int L = Lanes.L;

    private DirectTiles() {
    }

    /** The tile of this many rows. */
    static void rows(int rows, int k, float[] a, int aAt, float[] b, int bAt, int bStep, float[] c, int cAt, int ldc, boolean add) {
        switch (rows) {
            case 4 -> rows4(k, a, aAt, b, bAt, bStep, c, cAt, ldc, add);
            case 3 -> rows3(k, a, aAt, b, bAt, bStep, c, cAt, ldc, add);
            case 2 -> rows2(k, a, aAt, b, bAt, bStep, c, cAt, ldc, add);
            case 1 -> rows1(k, a, aAt, b, bAt, bStep, c, cAt, ldc, add);
            default -> throw new IllegalArgumentException("no tile of " + rows + " rows");
        }
    }

    /** 4 rows by two vectors. */
    static void rows4(int k, float[] a, int aAt, float[] b, int bAt, int bStep, float[] c, int cAt, int ldc, boolean add) {
        FloatVector c0x0 = FloatVector.zero(F);
        FloatVector c0x1 = FloatVector.zero(F);
        FloatVector c1x0 = FloatVector.zero(F);
        FloatVector c1x1 = FloatVector.zero(F);
        FloatVector c2x0 = FloatVector.zero(F);
        FloatVector c2x1 = FloatVector.zero(F);
        FloatVector c3x0 = FloatVector.zero(F);
        FloatVector c3x1 = FloatVector.zero(F);
        for (int p = 0, i = aAt, j = bAt; p < k; p++, i += 4, j += bStep) {
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
    static void rows3(int k, float[] a, int aAt, float[] b, int bAt, int bStep, float[] c, int cAt, int ldc, boolean add) {
        FloatVector c0x0 = FloatVector.zero(F);
        FloatVector c0x1 = FloatVector.zero(F);
        FloatVector c1x0 = FloatVector.zero(F);
        FloatVector c1x1 = FloatVector.zero(F);
        FloatVector c2x0 = FloatVector.zero(F);
        FloatVector c2x1 = FloatVector.zero(F);
        for (int p = 0, i = aAt, j = bAt; p < k; p++, i += 3, j += bStep) {
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
    static void rows2(int k, float[] a, int aAt, float[] b, int bAt, int bStep, float[] c, int cAt, int ldc, boolean add) {
        FloatVector c0x0 = FloatVector.zero(F);
        FloatVector c0x1 = FloatVector.zero(F);
        FloatVector c1x0 = FloatVector.zero(F);
        FloatVector c1x1 = FloatVector.zero(F);
        for (int p = 0, i = aAt, j = bAt; p < k; p++, i += 2, j += bStep) {
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
    static void rows1(int k, float[] a, int aAt, float[] b, int bAt, int bStep, float[] c, int cAt, int ldc, boolean add) {
        FloatVector c0x0 = FloatVector.zero(F);
        FloatVector c0x1 = FloatVector.zero(F);
        for (int p = 0, i = aAt, j = bAt; p < k; p++, i += 1, j += bStep) {
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
