package io.llmc4j.formats.data;

import java.util.List;

/**
 * Python's {@code random.Random(seed)} for a non-negative integer seed: the Mersenne Twister MT19937 with array initialization, and the integer draws that
 * samplers make. Source: Matsumoto and Nishimura, "Mersenne Twister" (1998), and the documented behaviour of Python's random module.
 */
public final class PythonRandom {

    private static final int N = 624;
    private static final int M = 397;

    private final int[] state = new int[N];
    private int next = N;

    public PythonRandom(long seed) {
        if (seed < 0) {
            throw new IllegalArgumentException("negative seed " + seed);
        }
        int[] key = seed >>> 32 == 0 ? new int[] {(int) seed} : new int[] {(int) seed, (int) (seed >>> 32)};
        state[0] = 19650218;
        for (int i = 1; i < N; i++) {
            state[i] = 1812433253 * (state[i - 1] ^ state[i - 1] >>> 30) + i;
        }
        int i = 1;
        int j = 0;
        for (int k = Math.max(N, key.length); k > 0; k--) {
            state[i] = (state[i] ^ (state[i - 1] ^ state[i - 1] >>> 30) * 1664525) + key[j] + j;
            if (++i == N) {
                state[0] = state[N - 1];
                i = 1;
            }
            j = (j + 1) % key.length;
        }
        for (int k = N - 1; k > 0; k--) {
            state[i] = (state[i] ^ (state[i - 1] ^ state[i - 1] >>> 30) * 1566083941) - i;
            if (++i == N) {
                state[0] = state[N - 1];
                i = 1;
            }
        }
        state[0] = 0x80000000;
    }

    /** The next 32 random bits. */
    public int nextBits() {
        if (next == N) {
            for (int k = 0; k < N; k++) {
                int y = state[k] & 0x80000000 | state[(k + 1) % N] & 0x7fffffff;
                state[k] = state[(k + M) % N] ^ y >>> 1 ^ (y & 1) * 0x9908b0df;
            }
            next = 0;
        }
        int y = state[next++];
        y ^= y >>> 11;
        y ^= y << 7 & 0x9d2c5680;
        y ^= y << 15 & 0xefc60000;
        return y ^ y >>> 18;
    }

    /** Uniform in [0, n), by rejection of draws of n's bit length. */
    public int below(int n) {
        if (n <= 0) {
            throw new IllegalArgumentException("nothing below " + n);
        }
        int shift = Integer.numberOfLeadingZeros(n);
        int r = nextBits() >>> shift;
        while (r >= n) {
            r = nextBits() >>> shift;
        }
        return r;
    }

    /** {@code random.randint(from, to)}: both ends included. */
    public int between(int from, int to) {
        return from + below(Math.addExact(Math.subtractExact(to, from), 1));
    }

    /** {@code random.shuffle(list)}. */
    public void shuffle(List<?> list) {
        for (int i = list.size() - 1; i > 0; i--) {
            java.util.Collections.swap(list, i, below(i + 1));
        }
    }
}
