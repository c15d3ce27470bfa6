package io.llmc4j.engine.kernel;

import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.VectorSpecies;

/** The register tiles of {@link WideTiles} in double: C[TILE, 2 L] -= A · B over one k-block of packed panels. */
final class DoubleTiles {

    private static final VectorSpecies<Double> D = VectorSpecies.of(double.class, Lanes.F.vectorShape());
    private static final int L = D.length();
    static final int WIDE = 2 * L;

    private DoubleTiles() {
    }

    static void subtract(int k, double[] a, int aAt, double[] b, int bAt, double[] c, int cAt, int ldc) {
        if (Lanes.TILE_ROWS == 12) {
            rows12(k, a, aAt, b, bAt, c, cAt, ldc);
        } else {
            rows4(k, a, aAt, b, bAt, c, cAt, ldc);
        }
    }

    private static void rows12(int k, double[] a, int aAt, double[] b, int bAt, double[] c, int cAt, int ldc) {
        DoubleVector c0x0 = DoubleVector.zero(D);
        DoubleVector c0x1 = DoubleVector.zero(D);
        DoubleVector c1x0 = DoubleVector.zero(D);
        DoubleVector c1x1 = DoubleVector.zero(D);
        DoubleVector c2x0 = DoubleVector.zero(D);
        DoubleVector c2x1 = DoubleVector.zero(D);
        DoubleVector c3x0 = DoubleVector.zero(D);
        DoubleVector c3x1 = DoubleVector.zero(D);
        DoubleVector c4x0 = DoubleVector.zero(D);
        DoubleVector c4x1 = DoubleVector.zero(D);
        DoubleVector c5x0 = DoubleVector.zero(D);
        DoubleVector c5x1 = DoubleVector.zero(D);
        DoubleVector c6x0 = DoubleVector.zero(D);
        DoubleVector c6x1 = DoubleVector.zero(D);
        DoubleVector c7x0 = DoubleVector.zero(D);
        DoubleVector c7x1 = DoubleVector.zero(D);
        DoubleVector c8x0 = DoubleVector.zero(D);
        DoubleVector c8x1 = DoubleVector.zero(D);
        DoubleVector c9x0 = DoubleVector.zero(D);
        DoubleVector c9x1 = DoubleVector.zero(D);
        DoubleVector c10x0 = DoubleVector.zero(D);
        DoubleVector c10x1 = DoubleVector.zero(D);
        DoubleVector c11x0 = DoubleVector.zero(D);
        DoubleVector c11x1 = DoubleVector.zero(D);
        for (int p = 0, i = aAt, j = bAt; p < k; p++, i += 12, j += WIDE) {
            DoubleVector b0 = DoubleVector.fromArray(D, b, j);
            DoubleVector b1 = DoubleVector.fromArray(D, b, j + L);
            DoubleVector a0 = DoubleVector.broadcast(D, a[i]);
            c0x0 = a0.fma(b0, c0x0);
            c0x1 = a0.fma(b1, c0x1);
            DoubleVector a1 = DoubleVector.broadcast(D, a[i + 1]);
            c1x0 = a1.fma(b0, c1x0);
            c1x1 = a1.fma(b1, c1x1);
            DoubleVector a2 = DoubleVector.broadcast(D, a[i + 2]);
            c2x0 = a2.fma(b0, c2x0);
            c2x1 = a2.fma(b1, c2x1);
            DoubleVector a3 = DoubleVector.broadcast(D, a[i + 3]);
            c3x0 = a3.fma(b0, c3x0);
            c3x1 = a3.fma(b1, c3x1);
            DoubleVector a4 = DoubleVector.broadcast(D, a[i + 4]);
            c4x0 = a4.fma(b0, c4x0);
            c4x1 = a4.fma(b1, c4x1);
            DoubleVector a5 = DoubleVector.broadcast(D, a[i + 5]);
            c5x0 = a5.fma(b0, c5x0);
            c5x1 = a5.fma(b1, c5x1);
            DoubleVector a6 = DoubleVector.broadcast(D, a[i + 6]);
            c6x0 = a6.fma(b0, c6x0);
            c6x1 = a6.fma(b1, c6x1);
            DoubleVector a7 = DoubleVector.broadcast(D, a[i + 7]);
            c7x0 = a7.fma(b0, c7x0);
            c7x1 = a7.fma(b1, c7x1);
            DoubleVector a8 = DoubleVector.broadcast(D, a[i + 8]);
            c8x0 = a8.fma(b0, c8x0);
            c8x1 = a8.fma(b1, c8x1);
            DoubleVector a9 = DoubleVector.broadcast(D, a[i + 9]);
            c9x0 = a9.fma(b0, c9x0);
            c9x1 = a9.fma(b1, c9x1);
            DoubleVector a10 = DoubleVector.broadcast(D, a[i + 10]);
            c10x0 = a10.fma(b0, c10x0);
            c10x1 = a10.fma(b1, c10x1);
            DoubleVector a11 = DoubleVector.broadcast(D, a[i + 11]);
            c11x0 = a11.fma(b0, c11x0);
            c11x1 = a11.fma(b1, c11x1);
        }
        subtract(c0x0, c, cAt);
        subtract(c0x1, c, cAt + L);
        subtract(c1x0, c, cAt + ldc);
        subtract(c1x1, c, cAt + ldc + L);
        subtract(c2x0, c, cAt + 2 * ldc);
        subtract(c2x1, c, cAt + 2 * ldc + L);
        subtract(c3x0, c, cAt + 3 * ldc);
        subtract(c3x1, c, cAt + 3 * ldc + L);
        subtract(c4x0, c, cAt + 4 * ldc);
        subtract(c4x1, c, cAt + 4 * ldc + L);
        subtract(c5x0, c, cAt + 5 * ldc);
        subtract(c5x1, c, cAt + 5 * ldc + L);
        subtract(c6x0, c, cAt + 6 * ldc);
        subtract(c6x1, c, cAt + 6 * ldc + L);
        subtract(c7x0, c, cAt + 7 * ldc);
        subtract(c7x1, c, cAt + 7 * ldc + L);
        subtract(c8x0, c, cAt + 8 * ldc);
        subtract(c8x1, c, cAt + 8 * ldc + L);
        subtract(c9x0, c, cAt + 9 * ldc);
        subtract(c9x1, c, cAt + 9 * ldc + L);
        subtract(c10x0, c, cAt + 10 * ldc);
        subtract(c10x1, c, cAt + 10 * ldc + L);
        subtract(c11x0, c, cAt + 11 * ldc);
        subtract(c11x1, c, cAt + 11 * ldc + L);
    }

    private static void rows4(int k, double[] a, int aAt, double[] b, int bAt, double[] c, int cAt, int ldc) {
        DoubleVector c0x0 = DoubleVector.zero(D);
        DoubleVector c0x1 = DoubleVector.zero(D);
        DoubleVector c1x0 = DoubleVector.zero(D);
        DoubleVector c1x1 = DoubleVector.zero(D);
        DoubleVector c2x0 = DoubleVector.zero(D);
        DoubleVector c2x1 = DoubleVector.zero(D);
        DoubleVector c3x0 = DoubleVector.zero(D);
        DoubleVector c3x1 = DoubleVector.zero(D);
        for (int p = 0, i = aAt, j = bAt; p < k; p++, i += 4, j += WIDE) {
            DoubleVector b0 = DoubleVector.fromArray(D, b, j);
            DoubleVector b1 = DoubleVector.fromArray(D, b, j + L);
            DoubleVector a0 = DoubleVector.broadcast(D, a[i]);
            c0x0 = a0.fma(b0, c0x0);
            c0x1 = a0.fma(b1, c0x1);
            DoubleVector a1 = DoubleVector.broadcast(D, a[i + 1]);
            c1x0 = a1.fma(b0, c1x0);
            c1x1 = a1.fma(b1, c1x1);
            DoubleVector a2 = DoubleVector.broadcast(D, a[i + 2]);
            c2x0 = a2.fma(b0, c2x0);
            c2x1 = a2.fma(b1, c2x1);
            DoubleVector a3 = DoubleVector.broadcast(D, a[i + 3]);
            c3x0 = a3.fma(b0, c3x0);
            c3x1 = a3.fma(b1, c3x1);
        }
        subtract(c0x0, c, cAt);
        subtract(c0x1, c, cAt + L);
        subtract(c1x0, c, cAt + ldc);
        subtract(c1x1, c, cAt + ldc + L);
        subtract(c2x0, c, cAt + 2 * ldc);
        subtract(c2x1, c, cAt + 2 * ldc + L);
        subtract(c3x0, c, cAt + 3 * ldc);
        subtract(c3x1, c, cAt + 3 * ldc + L);
    }

    private static void subtract(DoubleVector v, double[] c, int at) {
        DoubleVector.fromArray(D, c, at).sub(v).intoArray(c, at);
    }

    /** As {@link Packing#panel}: {@code to[toAt + p * width + r] = from[at + r * rStep + p * pStep]}, zero from {@code used} to the width. */
    static void panel(int k, int used, int width, double[] from, int at, int rStep, int pStep, double[] to, int toAt) {
        if (used < width) {
            java.util.Arrays.fill(to, toAt, toAt + k * width, 0.0);
        }
        if (rStep == 1) {
            for (int p = 0; p < k; p++) {
                System.arraycopy(from, at + p * pStep, to, toAt + p * width, used);
            }
        } else if (pStep == 1 && used % 4 == 0 && width == WIDE) {
            for (int r = 0; r < used; r += 4) {
                int s = at + r * rStep;
                fourWide(k, from, s, s + rStep, s + 2 * rStep, s + 3 * rStep, to, toAt + r);
            }
        } else if (pStep == 1 && used == 4 && width == 4) {
            fourByFour(k, from, at, at + rStep, at + 2 * rStep, at + 3 * rStep, to, toAt);
        } else {
            for (int r = 0; r < used; r++) {
                one(k, from, at + r * rStep, pStep, to, toAt + r, width);
            }
        }
    }

    // Constant steps, so that bounds are checked once, before the loop.

    private static void fourWide(int k, double[] from, int a0, int a1, int a2, int a3, double[] to, int toAt) {
        for (int p = 0, d = toAt; p < k; p++, d += WIDE) {
            to[d] = from[a0 + p];
            to[d + 1] = from[a1 + p];
            to[d + 2] = from[a2 + p];
            to[d + 3] = from[a3 + p];
        }
    }

    private static void fourByFour(int k, double[] from, int a0, int a1, int a2, int a3, double[] to, int toAt) {
        for (int p = 0, d = toAt; p < k; p++, d += 4) {
            to[d] = from[a0 + p];
            to[d + 1] = from[a1 + p];
            to[d + 2] = from[a2 + p];
            to[d + 3] = from[a3 + p];
        }
    }

    private static void one(int k, double[] from, int at, int pStep, double[] to, int toAt, int width) {
        for (int p = 0; p < k; p++) {
            to[toAt + p * width] = from[at + p * pStep];
        }
    }
}
