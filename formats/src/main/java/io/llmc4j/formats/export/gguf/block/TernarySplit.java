package io.llmc4j.formats.export.gguf.block;

/**
 * IQ1's exact search: sorted values are cut into three runs that become -1, 0 and 1, each shifted by an eighth up or down. Every pair of
 * cuts and every choice of shifts is scored by weighted squared error through prefix sums.
 *
 * <p>Shifts are per half of the sub-block (IQ1_M) or for all of it (IQ1_S).
 */
final class TernarySplit {

    static final float SHIFT = 0.125f;
    /** Values of the codes 0, 1, 2 shifted up and down. */
    static final float[] UP = {-1 + SHIFT, SHIFT, 1 + SHIFT};
    static final float[] DOWN = {-1 - SHIFT, -SHIFT, 1 - SHIFT};

    private final int size;
    private final boolean halves;
    private final float[] weight;
    private final byte[] codes;
    private final int[] order;
    private final int[] points;
    private final float[][] sumX;
    private final float[][] sumW;
    private float bestScore;
    private float scale;
    private int cut1;
    private int cut2;
    /** Bit h: half h is shifted down; without halves bit 0 for all. */
    private int down;

    TernarySplit(int size, boolean halves) {
        this.size = size;
        this.halves = halves;
        this.weight = new float[size];
        this.codes = new byte[size];
        this.order = new int[size];
        this.points = new int[size / 8];
        this.sumX = new float[halves ? 2 : 1][size + 1];
        this.sumW = new float[halves ? 2 : 1][size + 1];
    }

    /** Weights of the next sub-block, to be filled before {@link #search}. */
    float[] weight() {
        return weight;
    }

    /** The lattice point of eight values after a search. */
    int point(int eight) {
        return points[eight];
    }

    /** Whether these eight are shifted down. */
    boolean down(int eight) {
        return (down >> (halves ? eight : 0) & 1) == 1;
    }

    /** Values of the codes of these eight. */
    float[] values(int eight) {
        return down(eight) ? DOWN : UP;
    }

    /** The scale, at least 0; NaN when the sub-block is zero and nothing of it is to be stored. */
    float search(float[] x, int at, float nothing) {
        float largest = Math.abs(x[at]);
        for (int i = 1; i < size; i++) {
            largest = Math.max(largest, Math.abs(x[at + i]));
        }
        if (largest < nothing) {
            return Float.NaN;
        }
        sort(x, at);
        bestScore = -Float.MAX_VALUE;
        scale = largest;
        cut1 = -1;
        if (halves) {
            prefixSumsByHalf(x, at);
            cutHalves();
        } else {
            prefixSums(x, at);
            cutWhole();
        }
        if (cut1 < 0) {
            return Float.NaN;
        }
        for (int j = 0; j < size; j++) {
            codes[order[j]] = (byte) (j < cut1 ? 0 : j < cut2 ? 1 : 2);
        }
        if (scale < 0f) {
            for (int j = 0; j < size; j++) {
                codes[j] = (byte) (2 - codes[j]);
            }
            scale = -scale;
            down ^= halves ? 3 : 1;
        }
        if (!place(x, at)) {
            fit(x, at);
        }
        return scale;
    }

    /** Ascending, equal values in their order. */
    private void sort(float[] x, int at) {
        for (int j = 0; j < size; j++) {
            int k = j;
            while (k > 0 && x[at + order[k - 1]] > x[at + j]) {
                order[k] = order[k - 1];
                k--;
            }
            order[k] = j;
        }
    }

    private void prefixSums(float[] x, int at) {
        for (int j = 0; j < size; j++) {
            int i = order[j];
            sumX[0][j + 1] = sumX[0][j] + weight[i] * x[at + i];
            sumW[0][j + 1] = sumW[0][j] + weight[i];
        }
    }

    private void prefixSumsByHalf(float[] x, int at) {
        for (int j = 0; j < size; j++) {
            int i = order[j];
            int h = i < size / 2 ? 0 : 1;
            sumX[h][j + 1] = sumX[h][j] + weight[i] * x[at + i];
            sumX[1 - h][j + 1] = sumX[1 - h][j];
            sumW[h][j + 1] = sumW[h][j] + weight[i];
            sumW[1 - h][j + 1] = sumW[1 - h][j];
        }
    }

    private void cutWhole() {
        for (int i1 = 0; i1 <= size; i1++) {
            for (int i2 = i1; i2 <= size; i2++) {
                score(i1, i2, whole(sumX[0], i1, i2, UP), wholeSquares(sumW[0], i1, i2, UP), 0);
                score(i1, i2, whole(sumX[0], i1, i2, DOWN), wholeSquares(sumW[0], i1, i2, DOWN), 1);
            }
        }
    }

    private float whole(float[] sums, int i1, int i2, float[] v) {
        return (sums[i1] - sums[0]) * v[0] + (sums[i2] - sums[i1]) * v[1] + (sums[size] - sums[i2]) * v[2];
    }

    private float wholeSquares(float[] sums, int i1, int i2, float[] v) {
        return (sums[i1] - sums[0]) * v[0] * v[0] + (sums[i2] - sums[i1]) * v[1] * v[1] + (sums[size] - sums[i2]) * v[2] * v[2];
    }

    /** The three runs' sum collapses to total * v[2] minus the two prefixes, because neighbouring values are one apart. */
    private void cutHalves() {
        float[] qx = new float[4];
        float[] q2 = new float[4];
        for (int i1 = 0; i1 <= size; i1++) {
            for (int i2 = i1; i2 <= size; i2++) {
                for (int h = 0; h < 2; h++) {
                    float prefixes = sumX[h][i1] + sumX[h][i2];
                    for (int d = 0; d < 2; d++) {
                        float[] v = d == 0 ? UP : DOWN;
                        qx[2 * h + d] = sumX[h][size] * v[2] - prefixes;
                        q2[2 * h + d] = sumW[h][size] * v[2] * v[2] + sumW[h][i1] * (v[0] * v[0] - v[1] * v[1])
                                + sumW[h][i2] * (v[1] * v[1] - v[2] * v[2]);
                    }
                }
                for (int d0 = 0; d0 < 2; d0++) {
                    for (int d1 = 0; d1 < 2; d1++) {
                        score(i1, i2, qx[d0] + qx[2 + d1], q2[d0] + q2[2 + d1], d0 | d1 << 1);
                    }
                }
            }
        }
    }

    private void score(int i1, int i2, float sumQx, float sumQ2, int shiftedDown) {
        if (sumQ2 > 0f && sumQx * sumQx > bestScore * sumQ2) {
            scale = sumQx / sumQ2;
            bestScore = scale * sumQx;
            cut1 = i1;
            cut2 = i2;
            down = shiftedDown;
        }
    }

    /** Puts each eight on the lattice; returns whether all were. */
    private boolean place(float[] x, int at) {
        boolean all = true;
        for (int e = 0; e < points.length; e++) {
            int packed = Lattice.IQ1.pack(codes, 8 * e);
            points[e] = Lattice.IQ1.point(packed);
            if (points[e] >= 0) {
                continue;
            }
            all = false;
            float bestDistance = Float.MAX_VALUE;
            for (short p : Lattice.IQ1.neighbours(packed)) {
                float distance = 0f;
                for (int i = 0; i < 8; i++) {
                    float difference = scale * values(e)[Lattice.IQ1.coordinate(p, i)] - x[at + 8 * e + i];
                    distance += weight[8 * e + i] * difference * difference;
                }
                if (distance < bestDistance || points[e] < 0) {
                    bestDistance = distance;
                    points[e] = p;
                }
            }
        }
        return all;
    }

    private void fit(float[] x, int at) {
        float sumQx = 0f;
        float sumQ2 = 0f;
        for (int i = 0; i < size; i++) {
            float q = values(i / 8)[Lattice.IQ1.coordinate(points[i / 8], i % 8)];
            float w = weight[i];
            sumQx += w * q * x[at + i];
            sumQ2 += w * q * q;
        }
        if (sumQx > 0f && sumQ2 > 0f) {
            scale = sumQx / sumQ2;
        }
    }
}
