package io.llmc4j.formats.export.gguf.block;

import java.util.Arrays;

/**
 * The search of one sub-block of IQ2 or IQ3: magnitudes go to odd numbers 1, 3, 5 … times a scale, with each group of coordinates on a
 * lattice; signs are kept apart. Tries scales around the largest magnitude, then rounds once more at the best.
 */
final class LatticeSearch {

    /**
     * What differs between the types.
     *
     * @param size       elements of a sub-block
     * @param levels     coordinates are 0 … levels - 1, magnitudes 2 · coordinate + 1
     * @param steps      scales tried on either side
     * @param step       their distance, in magnitudes
     * @param parity     signs of eight have an even number of minuses (the eighth is not stored): the least important value may turn
     * @param nothing    sub-blocks whose largest magnitude is below this are zero
     * @param fitted     the range is first fitted by {@link PositiveSearch} (IQ2_XXS)
     * @param again      the last rounding visits every group instead of only those that were off the lattice
     * @param offAtFirst without an improvement all groups count as off the lattice
     */
    record Rules(Lattice lattice, int size, int levels, int steps, float step, boolean parity, float nothing, boolean fitted, boolean again,
                 boolean offAtFirst) { }

    private final Rules rules;
    private final Lattice lattice;
    private final int groups;
    private final float[] weight;
    private final float[] root;
    private final float[] magnitude;
    private final byte[] codes;
    private final byte[] trial;
    private final boolean[] on;
    private final boolean[] trialOn;
    private final int[] signs;

    LatticeSearch(Rules rules) {
        this.rules = rules;
        this.lattice = rules.lattice();
        this.groups = rules.size() / lattice.dims();
        this.weight = new float[rules.size()];
        this.root = new float[rules.size()];
        this.magnitude = new float[rules.size()];
        this.codes = new byte[rules.size()];
        this.trial = new byte[rules.size()];
        this.on = new boolean[groups];
        this.trialOn = new boolean[groups];
        this.signs = new int[rules.size() / 8];
    }

    /** Weights of the next sub-block, to be filled before {@link #search}. */
    float[] weight() {
        return weight;
    }

    /** The lattice point of a group after a search. */
    int point(int group) {
        return lattice.point(lattice.pack(codes, group * lattice.dims()));
    }

    /** Bit i: element i of eight is negative (7 bits with parity). */
    int signs(int eight) {
        return signs[eight];
    }

    /** The scale, at least 0; NaN when the sub-block is zero and nothing of it is to be stored. */
    float search(float[] x, int at) {
        for (int i = 0; i < rules.size(); i++) {
            root[i] = (float) Math.sqrt(weight[i]);
        }
        for (int e = 0; e < signs.length; e++) {
            split(x, at, e);
        }
        float largest = magnitude[0];
        for (int i = 1; i < rules.size(); i++) {
            largest = Math.max(largest, magnitude[i]);
        }
        Arrays.fill(codes, (byte) 0);
        if (largest < rules.nothing()) {
            return Float.NaN;
        }
        float scale = largest / (2 * rules.levels() - 1);
        float range = largest;
        if (rules.fitted()) {
            scale = PositiveSearch.search(rules.size(), rules.levels() + 1, magnitude, codes, weight);
            range = scale * rules.levels();
            if (range <= 0f) {
                return Float.NaN;
            }
        }
        scale = tryScales(scale, range);
        scale = roundAgain(scale);
        if (scale < 0f) {
            scale = -scale;
            for (int e = 0; e < signs.length; e++) {
                signs[e] = ~signs[e] & (rules.parity() ? 127 : 255);
            }
        }
        return scale;
    }

    private void split(float[] x, int at, int eight) {
        int bits = 0;
        for (int i = 0; i < 8; i++) {
            float v = x[at + 8 * eight + i];
            boolean negative = !(v >= 0f);
            magnitude[8 * eight + i] = negative ? -v : v;
            bits |= (negative ? 1 : 0) << i;
        }
        if (rules.parity() && Integer.bitCount(bits) % 2 == 1) {
            int least = 0;
            float smallest = 0f;
            for (int i = 0; i < 8; i++) {
                float v = x[at + 8 * eight + i];
                float cost = weight[8 * eight + i] * v * v;
                if (i == 0 || cost < smallest) {
                    smallest = cost;
                    least = i;
                }
            }
            magnitude[8 * eight + least] = -magnitude[8 * eight + least];
            bits ^= 1 << least;
        }
        signs[eight] = rules.parity() ? bits & 127 : bits;
    }

    private float tryScales(float first, float range) {
        float scale = first;
        float best = 0f;
        Arrays.fill(on, !rules.offAtFirst());
        for (int s = -rules.steps(); s <= rules.steps(); s++) {
            float inverse = (2 * rules.levels() - 1 + s * rules.step()) / range;
            float trialScale = 1f / inverse;
            for (int g = 0; g < groups; g++) {
                trialOn[g] = place(g, inverse, trialScale, trial);
            }
            float sumQx = sumQx(trial);
            float sumQ2 = sumQ2(trial);
            if (sumQ2 > 0f && sumQx * sumQx > best * sumQ2) {
                scale = sumQx / sumQ2;
                best = scale * sumQx;
                System.arraycopy(trial, 0, codes, 0, codes.length);
                System.arraycopy(trialOn, 0, on, 0, groups);
            }
        }
        return scale;
    }

    private float roundAgain(float scale) {
        boolean off = rules.fitted();
        for (int g = 0; g < groups; g++) {
            off |= !on[g];
        }
        if (!off || !(scale > 0f)) {
            return scale;
        }
        float inverse = 1f / scale;
        for (int g = 0; g < groups; g++) {
            if (rules.again() || !on[g]) {
                place(g, inverse, scale, codes);
            }
        }
        float sumQx = sumQx(codes);
        float sumQ2 = sumQ2(codes);
        return sumQ2 > 0f ? sumQx / sumQ2 : scale;
    }

    /** Rounds a group and moves it to the best neighbour when it is off the lattice; returns whether it was on it. */
    private boolean place(int group, float inverse, float scale, byte[] to) {
        int dims = lattice.dims();
        int at = group * dims;
        for (int i = 0; i < dims; i++) {
            to[at + i] = (byte) Bits.nearest(0.5f * (inverse * magnitude[at + i] - 1f), 0, rules.levels() - 1);
        }
        int packed = lattice.pack(to, at);
        if (lattice.point(packed) >= 0) {
            return true;
        }
        float bestDistance = Float.MAX_VALUE;
        int best = -1;
        for (short p : lattice.neighbours(packed)) {
            float distance = 0f;
            for (int i = 0; i < dims; i++) {
                float difference = scale * (2 * lattice.coordinate(p, i) + 1) - magnitude[at + i];
                distance += root[at + i] * difference * difference;
            }
            if (distance < bestDistance || best < 0) {
                bestDistance = distance;
                best = p;
            }
        }
        for (int i = 0; i < dims; i++) {
            to[at + i] = (byte) lattice.coordinate(best, i);
        }
        return false;
    }

    private float sumQx(byte[] codes) {
        float sum = 0f;
        for (int i = 0; i < codes.length; i++) {
            sum += weight[i] * magnitude[i] * (2 * codes[i] + 1);
        }
        return sum;
    }

    private float sumQ2(byte[] codes) {
        float sum = 0f;
        for (int i = 0; i < codes.length; i++) {
            float q = 2 * codes[i] + 1;
            sum += weight[i] * q * q;
        }
        return sum;
    }
}
