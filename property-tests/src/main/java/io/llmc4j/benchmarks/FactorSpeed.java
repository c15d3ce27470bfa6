package io.llmc4j.benchmarks;

import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.kernel.Products;
import io.llmc4j.engine.linalg.Cholesky;
import io.llmc4j.engine.linalg.Precision;
import io.llmc4j.engine.tensor.Matrix;
import java.lang.management.ManagementFactory;
import java.util.Locale;
import java.util.function.LongSupplier;

/** Quick look at XᵀX, Cholesky and the inverse factor: best of five; processor time on one thread, else wall time. Arguments: threads, then sizes n. */
public final class FactorSpeed {

    private static LongSupplier clock = System::nanoTime;

    private FactorSpeed() {
    }

    public static void main(String[] args) {
        Parallel.setThreads(Integer.parseInt(args[0]));
        if (Parallel.threads() == 1) {
            clock = ManagementFactory.getThreadMXBean()::getCurrentThreadCpuTime;
        }
        for (int s = 1; s < args.length; s++) {
            int n = Integer.parseInt(args[s]);
            Matrix x = new Matrix(2 * n, n, ProductSpeed.random(2 * n * n));
            Matrix h = Products.gram(x);
            for (int i = 0; i < n; i++) {
                h.data()[i * n + i] += 1f;
            }
            report("gram of " + 2 * n + " rows", n, () -> Products.gram(x));
            for (Precision p : Precision.values()) {
                report("cholesky " + p, n, () -> Cholesky.lower(h, p));
                report("inverse factor " + p, n, () -> Cholesky.upperInverseFactor(h, p));
            }
        }
    }

    private static void report(String what, int n, Runnable work) {
        double best = Double.POSITIVE_INFINITY;
        for (int i = 0; i < 5; i++) {
            long t = clock.getAsLong();
            work.run();
            best = Math.min(best, (clock.getAsLong() - t) / 1e9);
        }
        System.out.printf(Locale.ROOT, "%-24s n %5d  %8.3f s%n", what, n, best);
    }
}
