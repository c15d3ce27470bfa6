package io.llmc4j.cli.bench;

import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.MachinePeak;
import io.llmc4j.engine.kernel.Parallel;

import java.lang.management.ManagementFactory;
import java.util.function.LongSupplier;

/**
 * Who does the work of a row.
 *
 * @param name        heading
 * @param kernels     that compute
 * @param threads     of this machine
 * @param device      whether the arithmetic is another machine's than this one's: only portable cases are asked of it, and no peak of this machine fits
 * @param flops       peak, operations a second; 0: unknown
 * @param copyBytes   peak, bytes a second; 0: unknown
 * @param clock       that its rounds are timed with, in nanoseconds
 */
public record BenchColumn(String name, Kernels kernels, int threads, boolean device, double flops, double copyBytes, LongSupplier clock) {

    /**
     * Threads of this machine; measures its peaks.
     *
     * @param processorTime time one thread by what its processor gave it, so that other work on the machine counts less
     */
    public static BenchColumn threads(int n, boolean processorTime) {
        Parallel.setThreads(n);
        LongSupplier clock = n == 1 && processorTime ? ManagementFactory.getThreadMXBean()::getCurrentThreadCpuTime : System::nanoTime;
        return new BenchColumn(n == 1 ? "1 thread" : n + " threads", Kernels.get(), n, false, MachinePeak.flops(clock), MachinePeak.copyBytes(clock), clock);
    }

    /** A device by its kernels. */
    public static BenchColumn device(String name, Kernels kernels, int threads) {
        return new BenchColumn(name, kernels, threads, true, 0, 0, System::nanoTime);
    }

    double peak(BenchCase.Unit unit) {
        return switch (unit) {
            case FLOP -> flops;
            case BYTE -> copyBytes;
            case RUN -> 0;
        };
    }

    boolean takes(BenchCase c) {
        return !device || c.portable();
    }
}
