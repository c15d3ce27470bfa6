package io.llmc4j.engine.kernel;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/** Copies operands of a product into panels that the register tiles read in order. */
final class Packing {

    private static final int WIDE = 2 * Lanes.L;
    private static final VectorSpecies<Float> F = Lanes.F;
    private static final VectorSpecies<Float> FOUR = FloatVector.SPECIES_128;

    private Packing() {
    }

    /**
     * One panel: {@code to[toAt + p * width + r] = from[at + r * rStep + p * pStep]} for r below {@code used} and p below {@code k};
     * for r from {@code used} to {@code width - 1} something that no result depends on.
     */
    static void panel(int k, int used, int width, float[] from, int at, int rStep, int pStep, float[] to, int toAt) {
        int done = used;
        if (rStep == 1 && used == WIDE) {
            wide(k, from, at, pStep, to, toAt);
        } else if (rStep == 1) {
            for (int p = 0; p < k; p++) {
                System.arraycopy(from, at + p * pStep, to, toAt + p * width, used);
            }
        } else {
            int r = 0;
            if (Transposes.EIGHT && pStep == 1 && rStep > 0) {
                r = turned(k, used, width, from, at, rStep, to, toAt);
            }
            for (; r + 4 <= used; r += 4) {
                if (pStep == 1) {
                    transposeFour(k, from, at + r * rStep, rStep, to, toAt + r, width);
                } else {
                    four(k, from, at + r * rStep, rStep, pStep, to, toAt + r, width);
                }
            }
            for (; r < used; r++) {
                one(k, from, at + r * rStep, pStep, to, toAt + r, width);
            }
            done = r;
        }
        for (int p = 0; p < k && done < width; p++) {
            Arrays.fill(to, toAt + p * width + done, toAt + (p + 1) * width, 0f);
        }
    }

    private static void wide(int k, float[] from, int at, int pStep, float[] to, int toAt) {
        for (int p = 0, s = at, d = toAt; p < k; p++, s += pStep, d += WIDE) {
            FloatVector.fromArray(F, from, s).intoArray(to, d);
            FloatVector.fromArray(F, from, s + Lanes.L).intoArray(to, d + Lanes.L);
        }
    }

    /** Four panels of four rows each, where rows are neighbours: {@code to[toAt + (4 * k) * q + 4 * p + r] = from[at + 4 * q + r + p * pStep]}. */
    static void fourPanels(int k, float[] from, int at, int pStep, float[] to, int toAt) {
        int step = 4 * k;
        for (int p = 0, s = at, d = toAt; p < k; p++, s += pStep, d += 4) {
            FloatVector.fromArray(FOUR, from, s).intoArray(to, d);
            FloatVector.fromArray(FOUR, from, s + 4).intoArray(to, d + step);
            FloatVector.fromArray(FOUR, from, s + 8).intoArray(to, d + 2 * step);
            FloatVector.fromArray(FOUR, from, s + 12).intoArray(to, d + 3 * step);
        }
    }

    /**
     * What goes in squares of eight, with the columns past the last eight one by one: as many rows as fill eights of the panel's width, or the four of a panel of
     * four. Returns how many rows of the panel are done.
     */
    private static int turned(int k, int used, int width, float[] from, int at, int rStep, float[] to, int toAt) {
        int whole = k & -8;
        int r = 0;
        if (used == 4 && width == 4) {
            Transposes.fourRows(whole, from, at, rStep, to, toAt);
            r = 4;
        } else {
            for (; r < used && r + 8 <= width; r += 8) {
                if (r + 8 <= used) {
                    Transposes.eightRows(whole, from, at + r * rStep, rStep, to, toAt + r, width);
                } else {
                    Transposes.fewerRows(used - r, whole, from, at + r * rStep, rStep, to, toAt + r, width);
                }
            }
        }
        for (int p = whole; p < k; p++) {
            for (int i = 0; i < r; i++) {
                to[toAt + p * width + i] = from[at + Math.min(i, used - 1) * rStep + p];
            }
        }
        return r;
    }

    /** Four rows at once: neighbouring stores, so that a cache line of the panel is written in one go. */
    private static void four(int k, float[] from, int at, int rStep, int pStep, float[] to, int toAt, int width) {
        int a0 = at;
        int a1 = at + rStep;
        int a2 = at + 2 * rStep;
        int a3 = at + 3 * rStep;
        for (int p = 0; p < k; p++) {
            int s = p * pStep;
            int d = toAt + p * width;
            to[d] = from[a0 + s];
            to[d + 1] = from[a1 + s];
            to[d + 2] = from[a2 + s];
            to[d + 3] = from[a3 + s];
        }
    }

    /** Widths that products use get a loop with a constant step: only then are bounds checked once, before it. */
    private static void transposeFour(int k, float[] from, int at, int rStep, float[] to, int toAt, int width) {
        if (width == WIDE) {
            transposeFourWide(k, from, at, at + rStep, at + 2 * rStep, at + 3 * rStep, to, toAt);
        } else if (width == 4) {
            transposeFourByFour(k, from, at, at + rStep, at + 2 * rStep, at + 3 * rStep, to, toAt);
        } else if (width == 12) {
            transposeFourByTwelve(k, from, at, at + rStep, at + 2 * rStep, at + 3 * rStep, to, toAt);
        } else {
            four(k, from, at, rStep, 1, to, toAt, width);
        }
    }

    private static void transposeFourWide(int k, float[] from, int a0, int a1, int a2, int a3, float[] to, int toAt) {
        for (int p = 0, d = toAt; p < k; p++, d += WIDE) {
            to[d] = from[a0 + p];
            to[d + 1] = from[a1 + p];
            to[d + 2] = from[a2 + p];
            to[d + 3] = from[a3 + p];
        }
    }

    private static void transposeFourByFour(int k, float[] from, int a0, int a1, int a2, int a3, float[] to, int toAt) {
        for (int p = 0, d = toAt; p < k; p++, d += 4) {
            to[d] = from[a0 + p];
            to[d + 1] = from[a1 + p];
            to[d + 2] = from[a2 + p];
            to[d + 3] = from[a3 + p];
        }
    }

    private static void transposeFourByTwelve(int k, float[] from, int a0, int a1, int a2, int a3, float[] to, int toAt) {
        for (int p = 0, d = toAt; p < k; p++, d += 12) {
            to[d] = from[a0 + p];
            to[d + 1] = from[a1 + p];
            to[d + 2] = from[a2 + p];
            to[d + 3] = from[a3 + p];
        }
    }

    private static void one(int k, float[] from, int at, int pStep, float[] to, int toAt, int width) {
        for (int p = 0; p < k; p++) {
            to[toAt + p * width] = from[at + p * pStep];
        }
    }
}
