package io.llmc4j.formats.data;

/**
 * {@code numpy.random.default_rng(seed).permutation(n)}: PCG64 (XSL-RR 128/64) seeded by NumPy's SeedSequence. The order in which the datasets library
 * shuffles rows. Source: O'Neill, "PCG" (2014), and the documented behaviour of NumPy's generator.
 */
public final class NumpyPermutation {

    private static final long MULTIPLIER_HIGH = 0x2360ED051FC65DA4L;
    private static final long MULTIPLIER_LOW = 0x4385DF649FCCF645L;

    private long high;
    private long low;
    private final long incrementHigh;
    private final long incrementLow;
    private int kept;
    private boolean hasKept;

    private NumpyPermutation(long seed) {
        long[] q = seedWords(seed);
        incrementHigh = q[2] << 1 | q[3] >>> 63;
        incrementLow = q[3] << 1 | 1;
        step();
        long sum = low + q[1];
        high += q[0] + (Long.compareUnsigned(sum, low) < 0 ? 1 : 0);
        low = sum;
        step();
    }

    /** The permutation of 0 … n-1 for a seed of up to 64 bits. */
    public static int[] of(long seed, int n) {
        NumpyPermutation generator = new NumpyPermutation(seed);
        int[] p = new int[n];
        for (int i = 0; i < n; i++) {
            p[i] = i;
        }
        for (int i = n - 1; i > 0; i--) {
            int j = generator.atMost(i);
            int t = p[i];
            p[i] = p[j];
            p[j] = t;
        }
        return p;
    }

    /** Uniform in [0, max] by masked rejection. */
    private int atMost(int max) {
        int mask = -1 >>> Integer.numberOfLeadingZeros(max);
        int v = next32() & mask;
        while (v > max) {
            v = next32() & mask;
        }
        return v;
    }

    /** The low half of a draw first, the high half next time. */
    private int next32() {
        if (hasKept) {
            hasKept = false;
            return kept;
        }
        step();
        long v = Long.rotateRight(high ^ low, (int) (high >>> 58));
        kept = (int) (v >>> 32);
        hasKept = true;
        return (int) v;
    }

    private void step() {
        long productHigh = Math.unsignedMultiplyHigh(low, MULTIPLIER_LOW) + high * MULTIPLIER_LOW + low * MULTIPLIER_HIGH;
        long productLow = low * MULTIPLIER_LOW;
        low = productLow + incrementLow;
        high = productHigh + incrementHigh + (Long.compareUnsigned(low, productLow) < 0 ? 1 : 0);
    }

    /** SeedSequence: a pool of four words, mixed from the seed, then eight words of output as four 64-bit ones. */
    private static long[] seedWords(long seed) {
        int[] pool = new int[4];
        int[] hash = {0x43b0d7e5};
        int[] entropy = {(int) seed, (int) (seed >>> 32), 0, 0};
        for (int i = 0; i < 4; i++) {
            pool[i] = hashed(entropy[i], hash, 0x931e8875);
        }
        for (int from = 0; from < 4; from++) {
            for (int to = 0; to < 4; to++) {
                if (from != to) {
                    int mixed = 0xca01f9dd * pool[to] - 0x4973f715 * hashed(pool[from], hash, 0x931e8875);
                    pool[to] = mixed ^ mixed >>> 16;
                }
            }
        }
        hash[0] = 0x8b51f9dd;
        long[] q = new long[4];
        for (int i = 0; i < 8; i++) {
            q[i / 2] |= (hashed(pool[i % 4], hash, 0x58f38ded) & 0xffffffffL) << 32 * (i % 2);
        }
        return q;
    }

    private static int hashed(int word, int[] hash, int multiplier) {
        int v = word ^ hash[0];
        hash[0] *= multiplier;
        v *= hash[0];
        return v ^ v >>> 16;
    }
}
