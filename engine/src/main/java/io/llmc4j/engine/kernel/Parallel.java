package io.llmc4j.engine.kernel;

import java.lang.foreign.MemorySegment;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntConsumer;

/**
 * The only source of parallelism: work is split by output, never by reduction, so the number of threads cannot change a result.
 *
 * <p>A region has a shared counter of tasks; the calling thread and up to {@code threads() - 1} helpers take the next index until none is left.
 * A region inside a region runs on its own thread alone. An exception of a body stops the region and is thrown to the caller
 * (the one with the lowest index that was reached, with the others suppressed).
 */
public final class Parallel {

    /** A half-open range of outputs. */
    @FunctionalInterface
    public interface Range {
        void run(int from, int to);
    }

    private static final ThreadLocal<Boolean> INSIDE = ThreadLocal.withInitial(() -> false);
    private static volatile int threads = configured();

    private Parallel() {
    }

    private static int configured() {
        int available = Runtime.getRuntime().availableProcessors();
        int n = Integer.getInteger("llmc4j.threads", available);
        return Math.max(1, n);
    }

    /** Threads that a region may use: property {@code llmc4j.threads}, by default the available processors. */
    public static int threads() {
        return threads;
    }

    /** Sets the number of threads for regions that start from now on; at least 1. */
    public static void setThreads(int n) {
        if (n < 1) {
            throw new IllegalArgumentException("threads must be at least 1, got " + n);
        }
        threads = n;
    }

    /** Whether the calling thread is already inside a region, so that a new one would not be split. */
    public static boolean inside() {
        return INSIDE.get();
    }

    /** Whether other threads may touch this memory: not when its arena is confined to one. */
    public static boolean reaches(MemorySegment bytes) {
        return bytes.isAccessibleBy(ANOTHER);
    }

    /** Never started: only to ask. */
    private static final Thread ANOTHER = Thread.ofPlatform().unstarted(() -> { });

    /** Runs {@code body} for each index from 0 to {@code tasks - 1}, in any order and on any thread; returns when all are done. */
    public static void forEach(int tasks, IntConsumer body) {
        int helpers = Math.min(threads, tasks) - 1;
        if (helpers <= 0 || INSIDE.get()) {
            for (int i = 0; i < tasks; i++) {
                body.accept(i);
            }
            return;
        }
        new Region(tasks, body, helpers).run();
    }

    /**
     * Cuts [0, n) into ranges of about {@code grain} (at least one) and runs them in parallel. Where the cuts fall depends on n and the grain only.
     */
    public static void forRange(int n, int grain, Range body) {
        if (n <= 0) {
            return;
        }
        int g = Math.max(1, grain);
        int tasks = (int) (((long) n + g - 1) / g);
        forEach(tasks, t -> body.run((int) ((long) t * g), (int) Math.min(n, (t + 1L) * g)));
    }

    /** {@link #forRange(int, int, Range)} with a grain that gives each thread a few ranges: bodies must not depend on where the cuts fall. */
    public static void forRange(int n, Range body) {
        forRange(n, Math.max(1, n / (8 * threads)), body);
    }

    private static final class Region {

        private static final ExecutorService HELPERS = Executors.newCachedThreadPool(r -> {
            Thread t = new Thread(r, "llmc4j-helper");
            t.setDaemon(true);
            return t;
        });

        private final int tasks;
        private final IntConsumer body;
        private final int helpers;
        private final AtomicInteger next = new AtomicInteger();
        private final CountDownLatch done;
        private Throwable failure;
        private int failedAt = Integer.MAX_VALUE;

        Region(int tasks, IntConsumer body, int helpers) {
            this.tasks = tasks;
            this.body = body;
            this.helpers = helpers;
            this.done = new CountDownLatch(helpers);
        }

        void run() {
            for (int i = 0; i < helpers; i++) {
                HELPERS.execute(() -> {
                    try {
                        work();
                    } finally {
                        done.countDown();
                    }
                });
            }
            work();
            await();
            if (failure instanceof RuntimeException e) {
                throw e;
            }
            if (failure instanceof Error e) {
                throw e;
            }
        }

        private void work() {
            INSIDE.set(true);
            try {
                for (int i = next.getAndIncrement(); i < tasks && i >= 0; i = next.getAndIncrement()) {
                    try {
                        body.accept(i);
                    } catch (Throwable t) {
                        fail(i, t);
                    }
                }
            } finally {
                INSIDE.set(false);
            }
        }

        private synchronized void fail(int index, Throwable t) {
            next.set(tasks);
            if (failure == null) {
                failure = t;
                failedAt = index;
            } else if (index < failedAt) {
                suppress(t, failure);
                failure = t;
                failedAt = index;
            } else {
                suppress(failure, t);
            }
        }

        private static void suppress(Throwable kept, Throwable other) {
            if (kept != other) {
                kept.addSuppressed(other);
            }
        }

        /** Helpers write into the caller's arrays, so an interrupt may not let the caller go before they stop. */
        private void await() {
            boolean interrupted = false;
            while (true) {
                try {
                    done.await();
                    break;
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
