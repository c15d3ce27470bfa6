package io.llmc4j.engine.kernel;

import java.util.Arrays;
import java.util.function.LongSupplier;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * What this machine can do at most, measured: multiply-adds that wait for no memory, and a copy that waits for nothing else. Benchmarks are told as
 * shares of these, because a share says more than a time on a machine that nobody else has.
 */
public final class MachinePeak {

    private static final VectorSpecies<Float> F = Lanes.F;
    private static final int CHAINS = 12;
    private static final int STEPS = 4096;
    /** Past every cache of a core. */
    private static final int COPY_FLOATS = 1 << 24;
    /** What the copies of one task are: long enough that handing out tasks costs nothing. */
    private static final int COPY_GRAIN = 1 << 20;
    private static final int TRIES = 12;
    /** Tries go on so long: the compiler needs a part of it, and other work on the machine comes and goes. */
    private static final long LEAST_NANOS = 500_000_000L;

    /** Where a chain leaves its sum, so that it is not dead code. Never read. */
    @SuppressWarnings("unused")
    private static volatile float sink;

    private MachinePeak() {
    }

    /**
     * Floating point operations a second (a fused multiply-add is two) of {@link Parallel#threads} threads: the best of several tries.
     *
     * @param clock in nanoseconds
     */
    public static double flops(LongSupplier clock) {
        int tasks = 64 * Parallel.threads();
        double best = Double.POSITIVE_INFINITY;
        long end = System.nanoTime() + LEAST_NANOS;
        for (int i = 0; i < TRIES || System.nanoTime() < end; i++) {
            long start = clock.getAsLong();
            Parallel.forEach(tasks, t -> sink = chains(0.5f + t));
            best = Math.min(best, (clock.getAsLong() - start) / 1e9);
        }
        return 2.0 * CHAINS * F.length() * STEPS * tasks / best;
    }

    /**
     * Bytes a second that are read and written by a copy between arrays far larger than the caches: the best of several tries.
     *
     * @param clock in nanoseconds
     */
    public static double copyBytes(LongSupplier clock) {
        float[] from = new float[COPY_FLOATS];
        float[] to = new float[COPY_FLOATS];
        Arrays.fill(from, 1f);
        double best = Double.POSITIVE_INFINITY;
        long end = System.nanoTime() + LEAST_NANOS;
        for (int i = 0; i < TRIES || System.nanoTime() < end; i++) {
            long start = clock.getAsLong();
            Parallel.forRange(COPY_FLOATS, COPY_GRAIN, (lo, hi) -> System.arraycopy(from, lo, to, lo, hi - lo));
            best = Math.min(best, (clock.getAsLong() - start) / 1e9);
        }
        sink = to[COPY_FLOATS / 2];
        return 8.0 * COPY_FLOATS / best;
    }

    /** Twelve independent chains: more than the latency of a multiply-add times what a core starts in a cycle. */
    private static float chains(float seed) {
        FloatVector x = FloatVector.broadcast(F, 0.999f);
        FloatVector y = FloatVector.broadcast(F, 0.001f * seed);
        FloatVector c0 = y;
        FloatVector c1 = y;
        FloatVector c2 = y;
        FloatVector c3 = y;
        FloatVector c4 = y;
        FloatVector c5 = y;
        FloatVector c6 = y;
        FloatVector c7 = y;
        FloatVector c8 = y;
        FloatVector c9 = y;
        FloatVector c10 = y;
        FloatVector c11 = y;
        for (int i = 0; i < STEPS; i++) {
            c0 = c0.fma(x, y);
            c1 = c1.fma(x, y);
            c2 = c2.fma(x, y);
            c3 = c3.fma(x, y);
            c4 = c4.fma(x, y);
            c5 = c5.fma(x, y);
            c6 = c6.fma(x, y);
            c7 = c7.fma(x, y);
            c8 = c8.fma(x, y);
            c9 = c9.fma(x, y);
            c10 = c10.fma(x, y);
            c11 = c11.fma(x, y);
        }
        return c0.add(c1).add(c2).add(c3).add(c4.add(c5).add(c6).add(c7)).add(c8.add(c9).add(c10).add(c11)).lane(0);
    }
}
