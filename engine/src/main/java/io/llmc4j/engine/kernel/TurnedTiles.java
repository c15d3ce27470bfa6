package io.llmc4j.engine.kernel;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * Products of eight rows of Y with one to three of X, all contiguous along k, for vectors of eight: the rows of Y are turned into lanes in registers and
 * multiplied there, so that no panel is written. Y[j, :] · X[i, :] goes to {@code out[i * 8 + j]}. With four rows of X, {@link LooseTiles} are as fast.
 *
 * <p>Turning a square is three exchanges. That of four lanes is had by loading a partner four numbers earlier and blending; that of two by a permutation;
 * that of neighbours by shifts of 64 bits: each on ports that the others leave free. k must be a multiple of 4. Where Y has fewer than eight rows, the last one
 * stands for those that lack; then four numbers must follow each row, and four go before the second.
 */
final class TurnedTiles {

    private static final VectorSpecies<Float> F = FloatVector.SPECIES_256;
    private static final VectorShuffle<Float> X2 = VectorShuffle.fromOp(F, i -> i ^ 2);
    private static final VectorMask<Float> M4 = VectorMask.fromLong(F, 0xf0);
    private static final VectorMask<Float> M2 = VectorMask.fromLong(F, 0xcc);
    private static final VectorMask<Float> M1 = VectorMask.fromLong(F, 0xaa);

    private TurnedTiles() {
    }

    /** The tile of {@code few} rows of X and {@code rows} of Y. */
    static void rows(int few, int rows, int k, float[] y, int yAt, int ldy, float[] x, int xAt, int ldx, float[] out) {
        switch (few) {
            case 3 -> three(rows, k, y, yAt, ldy, x, xAt, ldx, out);
            case 2 -> two(rows, k, y, yAt, ldy, x, xAt, ldx, out);
            case 1 -> one(rows, k, y, yAt, ldy, x, xAt, out);
            default -> throw new IllegalArgumentException("no tile of " + few + " rows");
        }
    }

    private static void three(int rows, int k, float[] y, int yAt, int ldy, float[] x, int xAt, int ldx, float[] out) {
        int last = rows - 1;
        int r1 = Math.min(1, last) * ldy;
        int r2 = Math.min(2, last) * ldy;
        int r3 = Math.min(3, last) * ldy;
        int r4 = Math.min(4, last) * ldy;
        int r5 = Math.min(5, last) * ldy;
        int r6 = Math.min(6, last) * ldy;
        int r7 = last * ldy;
        FloatVector c0 = FloatVector.zero(F);
        FloatVector c1 = FloatVector.zero(F);
        FloatVector c2 = FloatVector.zero(F);
        for (int p = 0, s = yAt, q = xAt; p < k; p += 4, s += 4, q += 4) {
            FloatVector a0 = FloatVector.fromArray(F, y, s).blend(FloatVector.fromArray(F, y, s + r4 - 4), M4);
            FloatVector a1 = FloatVector.fromArray(F, y, s + r1).blend(FloatVector.fromArray(F, y, s + r5 - 4), M4);
            FloatVector a2 = FloatVector.fromArray(F, y, s + r2).blend(FloatVector.fromArray(F, y, s + r6 - 4), M4);
            FloatVector a3 = FloatVector.fromArray(F, y, s + r3).blend(FloatVector.fromArray(F, y, s + r7 - 4), M4);
            FloatVector b0 = a0.blend(a2.rearrange(X2), M2);
            FloatVector b1 = a1.blend(a3.rearrange(X2), M2);
            FloatVector t0 = b0.blend(b1.reinterpretAsLongs().lanewise(VectorOperators.LSHL, 32).reinterpretAsFloats(), M1);
            c0 = t0.fma(FloatVector.broadcast(F, x[q]), c0);
            c1 = t0.fma(FloatVector.broadcast(F, x[q + ldx]), c1);
            c2 = t0.fma(FloatVector.broadcast(F, x[q + 2 * ldx]), c2);
            FloatVector t1 = b0.reinterpretAsLongs().lanewise(VectorOperators.LSHR, 32).reinterpretAsFloats().blend(b1, M1);
            c0 = t1.fma(FloatVector.broadcast(F, x[q + 1]), c0);
            c1 = t1.fma(FloatVector.broadcast(F, x[q + ldx + 1]), c1);
            c2 = t1.fma(FloatVector.broadcast(F, x[q + 2 * ldx + 1]), c2);
            FloatVector b2 = a0.rearrange(X2).blend(a2, M2);
            FloatVector b3 = a1.rearrange(X2).blend(a3, M2);
            FloatVector t2 = b2.blend(b3.reinterpretAsLongs().lanewise(VectorOperators.LSHL, 32).reinterpretAsFloats(), M1);
            c0 = t2.fma(FloatVector.broadcast(F, x[q + 2]), c0);
            c1 = t2.fma(FloatVector.broadcast(F, x[q + ldx + 2]), c1);
            c2 = t2.fma(FloatVector.broadcast(F, x[q + 2 * ldx + 2]), c2);
            FloatVector t3 = b2.reinterpretAsLongs().lanewise(VectorOperators.LSHR, 32).reinterpretAsFloats().blend(b3, M1);
            c0 = t3.fma(FloatVector.broadcast(F, x[q + 3]), c0);
            c1 = t3.fma(FloatVector.broadcast(F, x[q + ldx + 3]), c1);
            c2 = t3.fma(FloatVector.broadcast(F, x[q + 2 * ldx + 3]), c2);
        }
        c0.intoArray(out, 0);
        c1.intoArray(out, 8);
        c2.intoArray(out, 16);
    }

    private static void two(int rows, int k, float[] y, int yAt, int ldy, float[] x, int xAt, int ldx, float[] out) {
        int last = rows - 1;
        int r1 = Math.min(1, last) * ldy;
        int r2 = Math.min(2, last) * ldy;
        int r3 = Math.min(3, last) * ldy;
        int r4 = Math.min(4, last) * ldy;
        int r5 = Math.min(5, last) * ldy;
        int r6 = Math.min(6, last) * ldy;
        int r7 = last * ldy;
        FloatVector c0 = FloatVector.zero(F);
        FloatVector c1 = FloatVector.zero(F);
        for (int p = 0, s = yAt, q = xAt; p < k; p += 4, s += 4, q += 4) {
            FloatVector a0 = FloatVector.fromArray(F, y, s).blend(FloatVector.fromArray(F, y, s + r4 - 4), M4);
            FloatVector a1 = FloatVector.fromArray(F, y, s + r1).blend(FloatVector.fromArray(F, y, s + r5 - 4), M4);
            FloatVector a2 = FloatVector.fromArray(F, y, s + r2).blend(FloatVector.fromArray(F, y, s + r6 - 4), M4);
            FloatVector a3 = FloatVector.fromArray(F, y, s + r3).blend(FloatVector.fromArray(F, y, s + r7 - 4), M4);
            FloatVector b0 = a0.blend(a2.rearrange(X2), M2);
            FloatVector b1 = a1.blend(a3.rearrange(X2), M2);
            FloatVector t0 = b0.blend(b1.reinterpretAsLongs().lanewise(VectorOperators.LSHL, 32).reinterpretAsFloats(), M1);
            c0 = t0.fma(FloatVector.broadcast(F, x[q]), c0);
            c1 = t0.fma(FloatVector.broadcast(F, x[q + ldx]), c1);
            FloatVector t1 = b0.reinterpretAsLongs().lanewise(VectorOperators.LSHR, 32).reinterpretAsFloats().blend(b1, M1);
            c0 = t1.fma(FloatVector.broadcast(F, x[q + 1]), c0);
            c1 = t1.fma(FloatVector.broadcast(F, x[q + ldx + 1]), c1);
            FloatVector b2 = a0.rearrange(X2).blend(a2, M2);
            FloatVector b3 = a1.rearrange(X2).blend(a3, M2);
            FloatVector t2 = b2.blend(b3.reinterpretAsLongs().lanewise(VectorOperators.LSHL, 32).reinterpretAsFloats(), M1);
            c0 = t2.fma(FloatVector.broadcast(F, x[q + 2]), c0);
            c1 = t2.fma(FloatVector.broadcast(F, x[q + ldx + 2]), c1);
            FloatVector t3 = b2.reinterpretAsLongs().lanewise(VectorOperators.LSHR, 32).reinterpretAsFloats().blend(b3, M1);
            c0 = t3.fma(FloatVector.broadcast(F, x[q + 3]), c0);
            c1 = t3.fma(FloatVector.broadcast(F, x[q + ldx + 3]), c1);
        }
        c0.intoArray(out, 0);
        c1.intoArray(out, 8);
    }

    private static void one(int rows, int k, float[] y, int yAt, int ldy, float[] x, int xAt, float[] out) {
        int last = rows - 1;
        int r1 = Math.min(1, last) * ldy;
        int r2 = Math.min(2, last) * ldy;
        int r3 = Math.min(3, last) * ldy;
        int r4 = Math.min(4, last) * ldy;
        int r5 = Math.min(5, last) * ldy;
        int r6 = Math.min(6, last) * ldy;
        int r7 = last * ldy;
        FloatVector c0 = FloatVector.zero(F);
        for (int p = 0, s = yAt, q = xAt; p < k; p += 4, s += 4, q += 4) {
            FloatVector a0 = FloatVector.fromArray(F, y, s).blend(FloatVector.fromArray(F, y, s + r4 - 4), M4);
            FloatVector a1 = FloatVector.fromArray(F, y, s + r1).blend(FloatVector.fromArray(F, y, s + r5 - 4), M4);
            FloatVector a2 = FloatVector.fromArray(F, y, s + r2).blend(FloatVector.fromArray(F, y, s + r6 - 4), M4);
            FloatVector a3 = FloatVector.fromArray(F, y, s + r3).blend(FloatVector.fromArray(F, y, s + r7 - 4), M4);
            FloatVector b0 = a0.blend(a2.rearrange(X2), M2);
            FloatVector b1 = a1.blend(a3.rearrange(X2), M2);
            FloatVector t0 = b0.blend(b1.reinterpretAsLongs().lanewise(VectorOperators.LSHL, 32).reinterpretAsFloats(), M1);
            c0 = t0.fma(FloatVector.broadcast(F, x[q]), c0);
            FloatVector t1 = b0.reinterpretAsLongs().lanewise(VectorOperators.LSHR, 32).reinterpretAsFloats().blend(b1, M1);
            c0 = t1.fma(FloatVector.broadcast(F, x[q + 1]), c0);
            FloatVector b2 = a0.rearrange(X2).blend(a2, M2);
            FloatVector b3 = a1.rearrange(X2).blend(a3, M2);
            FloatVector t2 = b2.blend(b3.reinterpretAsLongs().lanewise(VectorOperators.LSHL, 32).reinterpretAsFloats(), M1);
            c0 = t2.fma(FloatVector.broadcast(F, x[q + 2]), c0);
            FloatVector t3 = b2.reinterpretAsLongs().lanewise(VectorOperators.LSHR, 32).reinterpretAsFloats().blend(b3, M1);
            c0 = t3.fma(FloatVector.broadcast(F, x[q + 3]), c0);
        }
        c0.intoArray(out, 0);
    }
}
