package io.llmc4j.benchmarks;

import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Parallel;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.Locale;
import java.util.function.LongSupplier;

/**
 * Products of few rows or columns against those of whole tiles: rows 1 to 33 with 256 columns, columns 1 to 65 with 256 rows, and both few. Each is held
 * to the shape with rows rounded up to the next 4 and columns to the next 16; the shares are of speed per operation. One thread, processor time, the best of
 * several rounds that alternate between the two. Argument: k.
 *
 * <p>What one to five columns cannot reach: a sum over k is sequential by law, so lanes are different outputs, and each number of the many rows is brought to a
 * lane by itself, in a fifth of a nanosecond (turned in registers) to a quarter (a broadcast load) on a Zen 3 core. That is 11 GFLOP/s for one column, 18 for two,
 * 24 for three and 33 for four, where a tile of 16 columns has 75 to 85. A single sum waits four cycles a step for itself: 1.5 GFLOP/s for 1 x 1.
 */
public final class RaggedShapes {

    private static final int[] ROWS = {1, 2, 3, 5, 6, 7, 9, 10, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31, 33};
    private static final int[] COLUMNS = {1, 2, 3, 4, 5, 7, 8, 9, 11, 13, 15, 17, 20, 24, 25, 31, 33, 40, 41, 47, 49, 56, 57, 63, 65};
    private static final LongSupplier CLOCK = ManagementFactory.getThreadMXBean()::getCurrentThreadCpuTime;

    private RaggedShapes() {
    }

    public static void main(String[] args) {
        Parallel.setThreads(1);
        int k = args.length > 0 ? Integer.parseInt(args[0]) : 256;
        float[] a = ProductSpeed.random(320 * k);
        float[] b = ProductSpeed.random(320 * k);
        float[] c = new float[320 * 320];
        for (int m : ROWS) {
            report(m, 256, k, a, b, c);
        }
        for (int n : COLUMNS) {
            report(256, n, k, a, b, c);
        }
        for (int m : new int[] {1, 3, 7, 17, 33}) {
            for (int n : new int[] {1, 3, 9, 17, 33, 65}) {
                report(m, n, k, a, b, c);
            }
        }
    }

    private static void report(int m, int n, int k, float[] a, float[] b, float[] c) {
        int wholeM = (m + 3) / 4 * 4;
        int wholeN = (n + 15) / 16 * 16;
        double[] best = new double[2];
        Arrays.fill(best, Double.POSITIVE_INFINITY);
        for (int round = 0; round < 40; round++) {
            best[0] = Math.min(best[0], time(m, n, k, a, b, c));
            best[1] = Math.min(best[1], time(wholeM, wholeN, k, a, b, c));
        }
        double ours = 2.0 * m * n * k / best[0];
        double whole = 2.0 * wholeM * wholeN * k / best[1];
        System.out.printf(Locale.ROOT, "%3d x %3d x %d  %6.1f GFLOP/s, whole tiles %3d x %3d  %6.1f, share %.2f%s%n", m, n, k, ours / 1e9, wholeM, wholeN, whole / 1e9,
                ours / whole, ours < whole / 2 ? "  < 0.5" : "");
    }

    private static double time(int m, int n, int k, float[] a, float[] b, float[] c) {
        int rounds = (int) Math.max(1, 4_000_000L / ((long) m * n * k));
        Kernels kernels = Kernels.get();
        long start = CLOCK.getAsLong();
        for (int i = 0; i < rounds; i++) {
            kernels.gemmNT(m, n, k, a, 0, k, b, 0, k, c, 0, n, false);
        }
        return (CLOCK.getAsLong() - start) / 1e9 / rounds;
    }
}
