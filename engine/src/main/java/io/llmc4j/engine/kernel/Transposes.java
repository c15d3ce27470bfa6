package io.llmc4j.engine.kernel;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * Squares of eight by eight turned over in registers, for vectors of eight: rows that run along k become rows of a panel. In each of three steps a vector
 * takes every other run of 4, 2 or 1 lanes from its partner: of 4 by a load four numbers away, of 2 by a permutation, of 1 by a shift of 64 bits, so that no
 * port of the processor does it all. Twice as fast as moving numbers one by one.
 */
final class Transposes {

    /** Whether this machine's vectors have eight lanes; all else here needs that. */
    static final boolean EIGHT = Lanes.L == 8;

    private static final VectorSpecies<Float> F = FloatVector.SPECIES_256;
    private static final VectorShuffle<Float> X4 = VectorShuffle.fromOp(F, i -> i ^ 4);
    private static final VectorShuffle<Float> X2 = VectorShuffle.fromOp(F, i -> i ^ 2);
    private static final VectorShuffle<Float> X1 = VectorShuffle.fromOp(F, i -> i ^ 1);
    private static final VectorMask<Float> M4 = VectorMask.fromLong(F, 0xf0);
    private static final VectorMask<Float> M2 = VectorMask.fromLong(F, 0xcc);
    private static final VectorMask<Float> M1 = VectorMask.fromLong(F, 0xaa);

    private Transposes() {
    }

    /** {@code to[toAt + p * width + r] = from[at + r * step + p]} for r below 8 and p below k, a multiple of 8. */
    static void eightRows(int k, float[] from, int at, int step, float[] to, int toAt, int width) {
        for (int p = 0, d = toAt; p < k; p += 8, d += 8 * width) {
            int s = at + p;
            FloatVector a0 = FloatVector.fromArray(F, from, s).blend(FloatVector.fromArray(F, from, s + 4 * step - 4), M4);
            FloatVector a1 = FloatVector.fromArray(F, from, s + step).blend(FloatVector.fromArray(F, from, s + 5 * step - 4), M4);
            FloatVector a2 = FloatVector.fromArray(F, from, s + 2 * step).blend(FloatVector.fromArray(F, from, s + 6 * step - 4), M4);
            FloatVector a3 = FloatVector.fromArray(F, from, s + 3 * step).blend(FloatVector.fromArray(F, from, s + 7 * step - 4), M4);
            FloatVector b0 = a0.blend(a2.rearrange(X2), M2);
            FloatVector b2 = a0.rearrange(X2).blend(a2, M2);
            FloatVector b1 = a1.blend(a3.rearrange(X2), M2);
            FloatVector b3 = a1.rearrange(X2).blend(a3, M2);
            b0.blend(b1.reinterpretAsLongs().lanewise(VectorOperators.LSHL, 32).reinterpretAsFloats(), M1).intoArray(to, d);
            b0.reinterpretAsLongs().lanewise(VectorOperators.LSHR, 32).reinterpretAsFloats().blend(b1, M1).intoArray(to, d + width);
            b2.blend(b3.reinterpretAsLongs().lanewise(VectorOperators.LSHL, 32).reinterpretAsFloats(), M1).intoArray(to, d + 2 * width);
            b2.reinterpretAsLongs().lanewise(VectorOperators.LSHR, 32).reinterpretAsFloats().blend(b3, M1).intoArray(to, d + 3 * width);
            int e = d + 4 * width;
            FloatVector a4 = FloatVector.fromArray(F, from, s + 4).blend(FloatVector.fromArray(F, from, s + 4 * step), M4);
            FloatVector a5 = FloatVector.fromArray(F, from, s + step + 4).blend(FloatVector.fromArray(F, from, s + 5 * step), M4);
            FloatVector a6 = FloatVector.fromArray(F, from, s + 2 * step + 4).blend(FloatVector.fromArray(F, from, s + 6 * step), M4);
            FloatVector a7 = FloatVector.fromArray(F, from, s + 3 * step + 4).blend(FloatVector.fromArray(F, from, s + 7 * step), M4);
            FloatVector b4 = a4.blend(a6.rearrange(X2), M2);
            FloatVector b6 = a4.rearrange(X2).blend(a6, M2);
            FloatVector b5 = a5.blend(a7.rearrange(X2), M2);
            FloatVector b7 = a5.rearrange(X2).blend(a7, M2);
            b4.blend(b5.reinterpretAsLongs().lanewise(VectorOperators.LSHL, 32).reinterpretAsFloats(), M1).intoArray(to, e);
            b4.reinterpretAsLongs().lanewise(VectorOperators.LSHR, 32).reinterpretAsFloats().blend(b5, M1).intoArray(to, e + width);
            b6.blend(b7.reinterpretAsLongs().lanewise(VectorOperators.LSHL, 32).reinterpretAsFloats(), M1).intoArray(to, e + 2 * width);
            b6.reinterpretAsLongs().lanewise(VectorOperators.LSHR, 32).reinterpretAsFloats().blend(b7, M1).intoArray(to, e + 3 * width);
        }
    }

    /** {@link #eightRows} where only {@code rows} are there: the last one stands for those that lack. Reads nothing beyond them. */
    static void fewerRows(int rows, int k, float[] from, int at, int step, float[] to, int toAt, int width) {
        int last = rows - 1;
        int s1 = Math.min(1, last) * step;
        int s2 = Math.min(2, last) * step;
        int s3 = Math.min(3, last) * step;
        int s4 = Math.min(4, last) * step;
        int s5 = Math.min(5, last) * step;
        int s6 = Math.min(6, last) * step;
        int s7 = last * step;
        for (int p = 0; p < k; p += 8) {
            int s = at + p;
            FloatVector r0 = FloatVector.fromArray(F, from, s);
            FloatVector r1 = FloatVector.fromArray(F, from, s + s1);
            FloatVector r2 = FloatVector.fromArray(F, from, s + s2);
            FloatVector r3 = FloatVector.fromArray(F, from, s + s3);
            FloatVector r4 = FloatVector.fromArray(F, from, s + s4);
            FloatVector r5 = FloatVector.fromArray(F, from, s + s5);
            FloatVector r6 = FloatVector.fromArray(F, from, s + s6);
            FloatVector r7 = FloatVector.fromArray(F, from, s + s7);
            FloatVector a0 = r0.blend(r4.rearrange(X4), M4);
            FloatVector a4 = r0.rearrange(X4).blend(r4, M4);
            FloatVector a1 = r1.blend(r5.rearrange(X4), M4);
            FloatVector a5 = r1.rearrange(X4).blend(r5, M4);
            FloatVector a2 = r2.blend(r6.rearrange(X4), M4);
            FloatVector a6 = r2.rearrange(X4).blend(r6, M4);
            FloatVector a3 = r3.blend(r7.rearrange(X4), M4);
            FloatVector a7 = r3.rearrange(X4).blend(r7, M4);
            FloatVector b0 = a0.blend(a2.rearrange(X2), M2);
            FloatVector b2 = a0.rearrange(X2).blend(a2, M2);
            FloatVector b1 = a1.blend(a3.rearrange(X2), M2);
            FloatVector b3 = a1.rearrange(X2).blend(a3, M2);
            FloatVector b4 = a4.blend(a6.rearrange(X2), M2);
            FloatVector b6 = a4.rearrange(X2).blend(a6, M2);
            FloatVector b5 = a5.blend(a7.rearrange(X2), M2);
            FloatVector b7 = a5.rearrange(X2).blend(a7, M2);
            int d = toAt + p * width;
            b0.blend(b1.rearrange(X1), M1).intoArray(to, d);
            b0.rearrange(X1).blend(b1, M1).intoArray(to, d + width);
            b2.blend(b3.rearrange(X1), M1).intoArray(to, d + 2 * width);
            b2.rearrange(X1).blend(b3, M1).intoArray(to, d + 3 * width);
            b4.blend(b5.rearrange(X1), M1).intoArray(to, d + 4 * width);
            b4.rearrange(X1).blend(b5, M1).intoArray(to, d + 5 * width);
            b6.blend(b7.rearrange(X1), M1).intoArray(to, d + 6 * width);
            b6.rearrange(X1).blend(b7, M1).intoArray(to, d + 7 * width);
        }
    }

    /** {@code to[toAt + 4 * p + r] = from[at + r * step + p]} for r below 4 and p below k, a multiple of 8. */
    static void fourRows(int k, float[] from, int at, int step, float[] to, int toAt) {
        for (int p = 0; p < k; p += 8) {
            int s = at + p;
            FloatVector r0 = FloatVector.fromArray(F, from, s);
            FloatVector r1 = FloatVector.fromArray(F, from, s + step);
            FloatVector r2 = FloatVector.fromArray(F, from, s + 2 * step);
            FloatVector r3 = FloatVector.fromArray(F, from, s + 3 * step);
            FloatVector a0 = r0.blend(r1.rearrange(X1), M1);
            FloatVector a1 = r0.rearrange(X1).blend(r1, M1);
            FloatVector c0 = r2.blend(r3.rearrange(X1), M1);
            FloatVector c1 = r2.rearrange(X1).blend(r3, M1);
            FloatVector b0 = a0.blend(c0.rearrange(X2), M2);
            FloatVector b2 = a0.rearrange(X2).blend(c0, M2);
            FloatVector b1 = a1.blend(c1.rearrange(X2), M2);
            FloatVector b3 = a1.rearrange(X2).blend(c1, M2);
            int d = toAt + 4 * p;
            b0.blend(b1.rearrange(X4), M4).intoArray(to, d);
            b2.blend(b3.rearrange(X4), M4).intoArray(to, d + 8);
            b0.rearrange(X4).blend(b1, M4).intoArray(to, d + 16);
            b2.rearrange(X4).blend(b3, M4).intoArray(to, d + 24);
        }
    }
}
