package io.llmc4j.engine.kernel;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Register tiles over an A that was not packed: its rows run along k, {@code lda} apart; B is packed as [k][2 L] or [k][L]. Pays when C has few columns,
 * because then a number of A is read once or twice only.
 *
 * <p>A tile of fewer rows computes its last one again: it would wait for its own sums as long.
 */
final class LooseTiles {

    /** Rows of a tile that is one vector wide; of one that is two vectors wide. */
    static final int NARROW_ROWS = 8;
    static final int WIDE_ROWS = 4;

    private static final VectorSpecies<Float> F = Lanes.F;
    private static final int L = Lanes.L;

    private LooseTiles() {
    }

    /** Four rows by two vectors; all are written. {@code rows}: how many of them A has. */
    static void wide(int rows, int k, float[] a, int aAt, int lda, float[] b, int bAt, float[] c, int cAt, int ldc, boolean add) {
        int last = rows - 1;
        int r1 = Math.min(1, last) * lda;
        int r2 = Math.min(2, last) * lda;
        int r3 = last * lda;
        FloatVector c0x0 = FloatVector.zero(F);
        FloatVector c0x1 = FloatVector.zero(F);
        FloatVector c1x0 = FloatVector.zero(F);
        FloatVector c1x1 = FloatVector.zero(F);
        FloatVector c2x0 = FloatVector.zero(F);
        FloatVector c2x1 = FloatVector.zero(F);
        FloatVector c3x0 = FloatVector.zero(F);
        FloatVector c3x1 = FloatVector.zero(F);
        int i = aAt;
        int j = bAt;
        for (; i < aAt + k; i++, j += 2 * L) {
            FloatVector b0 = FloatVector.fromArray(F, b, j);
            FloatVector b1 = FloatVector.fromArray(F, b, j + L);
            FloatVector a0 = FloatVector.broadcast(F, a[i]);
            c0x0 = a0.fma(b0, c0x0);
            c0x1 = a0.fma(b1, c0x1);
            FloatVector a1 = FloatVector.broadcast(F, a[i + r1]);
            c1x0 = a1.fma(b0, c1x0);
            c1x1 = a1.fma(b1, c1x1);
            FloatVector a2 = FloatVector.broadcast(F, a[i + r2]);
            c2x0 = a2.fma(b0, c2x0);
            c2x1 = a2.fma(b1, c2x1);
            FloatVector a3 = FloatVector.broadcast(F, a[i + r3]);
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

    /** Eight rows by one vector; all are written. {@code rows}: how many of them A has. */
    static void narrow(int rows, int k, float[] a, int aAt, int lda, float[] b, int bAt, float[] c, int cAt, int ldc, boolean add) {
        int last = rows - 1;
        int r1 = Math.min(1, last) * lda;
        int r2 = Math.min(2, last) * lda;
        int r3 = Math.min(3, last) * lda;
        int r4 = Math.min(4, last) * lda;
        int r5 = Math.min(5, last) * lda;
        int r6 = Math.min(6, last) * lda;
        int r7 = last * lda;
        FloatVector c0x0 = FloatVector.zero(F);
        FloatVector c1x0 = FloatVector.zero(F);
        FloatVector c2x0 = FloatVector.zero(F);
        FloatVector c3x0 = FloatVector.zero(F);
        FloatVector c4x0 = FloatVector.zero(F);
        FloatVector c5x0 = FloatVector.zero(F);
        FloatVector c6x0 = FloatVector.zero(F);
        FloatVector c7x0 = FloatVector.zero(F);
        int i = aAt;
        int j = bAt;
        for (; i < aAt + k; i++, j += L) {
            FloatVector b0 = FloatVector.fromArray(F, b, j);
            FloatVector a0 = FloatVector.broadcast(F, a[i]);
            c0x0 = a0.fma(b0, c0x0);
            FloatVector a1 = FloatVector.broadcast(F, a[i + r1]);
            c1x0 = a1.fma(b0, c1x0);
            FloatVector a2 = FloatVector.broadcast(F, a[i + r2]);
            c2x0 = a2.fma(b0, c2x0);
            FloatVector a3 = FloatVector.broadcast(F, a[i + r3]);
            c3x0 = a3.fma(b0, c3x0);
            FloatVector a4 = FloatVector.broadcast(F, a[i + r4]);
            c4x0 = a4.fma(b0, c4x0);
            FloatVector a5 = FloatVector.broadcast(F, a[i + r5]);
            c5x0 = a5.fma(b0, c5x0);
            FloatVector a6 = FloatVector.broadcast(F, a[i + r6]);
            c6x0 = a6.fma(b0, c6x0);
            FloatVector a7 = FloatVector.broadcast(F, a[i + r7]);
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

    private static void store(FloatVector v, float[] c, int at, boolean add) {
        (add ? FloatVector.fromArray(F, c, at).add(v) : v).intoArray(c, at);
    }
}
