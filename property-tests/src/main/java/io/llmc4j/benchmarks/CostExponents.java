package io.llmc4j.benchmarks;

import io.llmc4j.engine.kernel.Parallel;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.Locale;
import java.util.function.LongSupplier;
import java.util.stream.IntStream;

/**
 * "No kernel's cost grows faster than its arithmetic": runs what {@link CostBenchmark} runs and prints, kernel by kernel, the exponent of n in the arithmetic, the
 * exponent fitted to the times (least squares of the logarithms over all n), and the dearest n: how many times the time per operation of the smallest n it
 * takes. The times are the least processor times of one thread, because what else a machine does must not count. Arguments: names of kernels of {@link CostKernel};
 * none, or {@code .*}, for all.
 */
public final class CostExponents {

    /** Fits of a few noisy points are not better than this. */
    private static final double NOISE = 0.1;
    /** For a kernel and a size, twice. */
    private static final long NANOS = 500_000_000L;
    private static final LongSupplier CLOCK = ManagementFactory.getThreadMXBean()::getCurrentThreadCpuTime;
    private static final int[] SIZES = {512, 1024, 1031, 1536, 2048, 2053, 4096};

    private CostExponents() {
    }

    public static void main(String[] args) {
        CostKernel[] kernels = args.length == 0 || args[0].equals(".*") ? CostKernel.values() : Arrays.stream(args).map(CostKernel::valueOf).toArray(CostKernel[]::new);
        Parallel.setThreads(1);
        System.out.printf("%-24s %12s %8s %10s%n", "kernel", "arithmetic", "fitted", "dearest n");
        for (CostKernel kernel : kernels) {
            measure(kernel);
        }
    }

    private static void measure(CostKernel kernel) {
        int[] sizes = IntStream.of(SIZES).filter(kernel::allows).toArray();
        double[] seconds = new double[sizes.length];
        Arrays.fill(seconds, Double.POSITIVE_INFINITY);
        // Twice: the first pass may meet a kernel that is still being compiled.
        for (int pass = 0; pass < 2; pass++) {
            for (int i = 0; i < sizes.length; i++) {
                seconds[i] = Math.min(seconds[i], best(kernel.prepare(sizes[i])) / kernel.units(sizes[i]));
            }
        }
        double[] work = IntStream.of(sizes).mapToDouble(kernel::arithmetic).toArray();
        double arithmetic = exponent(sizes, work);
        double fitted = exponent(sizes, seconds);
        int dearest = 0;
        for (int i = 0; i < sizes.length; i++) {
            dearest = seconds[i] / work[i] > seconds[dearest] / work[dearest] ? i : dearest;
        }
        System.out.printf(Locale.ROOT, "%-24s %12.2f %8.2f %10d %5.2f x%s   us:", kernel.name().toLowerCase(Locale.ROOT).replace('_', ' '), arithmetic, fitted,
                sizes[dearest], seconds[dearest] / work[dearest] / (seconds[0] / work[0]), fitted > arithmetic + NOISE ? "  GROWS FASTER" : "");
        for (int i = 0; i < sizes.length; i++) {
            System.out.printf(Locale.ROOT, " %d %.1f", sizes[i], seconds[i] * 1e6);
        }
        System.out.println();
    }

    private static double best(Runnable work) {
        double best = Double.POSITIVE_INFINITY;
        long until = CLOCK.getAsLong() + NANOS;
        for (int round = 0; round < 3 || CLOCK.getAsLong() < until; round++) {
            long start = CLOCK.getAsLong();
            work.run();
            best = Math.min(best, (CLOCK.getAsLong() - start) / 1e9);
        }
        return best;
    }

    /** The slope of log y over log n. */
    private static double exponent(int[] n, double[] y) {
        double meanX = IntStream.of(n).mapToDouble(Math::log).average().orElseThrow();
        double meanY = Arrays.stream(y).map(Math::log).average().orElseThrow();
        double above = 0;
        double below = 0;
        for (int i = 0; i < n.length; i++) {
            double x = Math.log(n[i]) - meanX;
            above += x * (Math.log(y[i]) - meanY);
            below += x * x;
        }
        return above / below;
    }
}
