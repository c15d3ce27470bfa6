package io.llmc4j.benchmarks;

import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Parallel;
import java.lang.management.ManagementFactory;
import java.util.Locale;
import java.util.Random;
import java.util.function.LongSupplier;

/** Quick look at product speed without JMH: best of several rounds, one line a shape. Arguments: threads, then shapes as MxNxK. */
public final class ProductSpeed {

    private ProductSpeed() {
    }

    public static void main(String[] args) {
        int threads = Integer.parseInt(args[0]);
        Parallel.setThreads(threads);
        // On one thread, processor time: what others do on the machine counts less.
        LongSupplier clock = threads == 1 ? ManagementFactory.getThreadMXBean()::getCurrentThreadCpuTime : System::nanoTime;
        Kernels kernels = Kernels.get();
        for (int s = 1; s < args.length; s++) {
            String[] d = args[s].split("x");
            int m = Integer.parseInt(d[0]);
            int n = Integer.parseInt(d[1]);
            int k = Integer.parseInt(d[2]);
            float[] a = random(m * k);
            float[] b = random(n * k);
            float[] c = new float[m * n];
            double best = Double.POSITIVE_INFINITY;
            long until = System.nanoTime() + 1_500_000_000L;
            while (System.nanoTime() < until) {
                long t = clock.getAsLong();
                int rounds = (int) Math.max(1, 20_000_000L / ((long) m * n * k + 1));
                for (int r = 0; r < rounds; r++) {
                    kernels.gemmNT(m, n, k, a, 0, k, b, 0, k, c, 0, n, false);
                }
                best = Math.min(best, (clock.getAsLong() - t) / 1e9 / rounds);
            }
            System.out.printf(Locale.ROOT, "NT %-16s %8.3f ms  %7.1f GFLOP/s%n", args[s], best * 1e3, 2.0 * m * n * k / best / 1e9);
        }
    }

    static float[] random(int n) {
        Random r = new Random(1);
        float[] v = new float[n];
        for (int i = 0; i < n; i++) {
            v[i] = r.nextFloat() - 0.5f;
        }
        return v;
    }
}
