package io.llmc4j.tornado;

/**
 * Which calls are worth the way to the device and back.
 *
 * @param leastWork      multiply-adds of a call, below which starting it takes longer than computing it
 * @param leastIntensity multiply-adds for each number that is sent or fetched. A bus that moves 3 billion floats a second and a CPU of 200 GFLOP/s break even
 *                       near 32; a GPU's own time is small beside both
 */
public record Worth(long leastWork, int leastIntensity) {

    /** {@code -Dllmc4j.device.least=N}: another least work, and no rule of intensity; 0 sends everything. */
    static final String PROPERTY = "llmc4j.device.least";

    static final Worth DEFAULT = new Worth(1L << 22, 32);

    static Worth ofThisProcess() {
        Long least = Long.getLong(PROPERTY);
        return least == null ? DEFAULT : new Worth(least, 0);
    }

    /** A product of m x n sums of k, with C sent only when it is added to. */
    boolean product(int m, int n, int k, boolean accumulate) {
        long work = (long) m * n * k;
        long moved = (long) m * k + (long) n * k + (accumulate ? 2L : 1L) * m * n;
        return worth(work, moved);
    }

    /** XᵀX: half the sums, X once, H both ways. */
    boolean gram(int rows, int n) {
        return worth((long) rows * n * (n + 1) / 2, (long) rows * n + 2L * n * n);
    }

    private boolean worth(long work, long moved) {
        return work > 0 && work >= leastWork && work >= leastIntensity * moved;
    }
}
