package io.llmc4j.cli.run;

/**
 * Keeps the heap at what the plan said. The serial collector grows the heap as far as it may before it looks for garbage among old objects, and matrices are
 * old objects from the start; so a thread looks at the heap many times a second, and has it collected when it is past the plan. Where what lives needs more than
 * was planned, the mark goes up with it, so that collections stay rare.
 */
public final class HeapKeeper implements AutoCloseable {

    private static final long INTERVAL_MS = 15;
    /** Below this nobody minds. */
    static final long LEAST = 80L << 20;
    private static final Runtime JVM = Runtime.getRuntime();

    private final Thread watcher;
    private volatile boolean done;

    private HeapKeeper(long mark, double share) {
        watcher = Thread.ofPlatform().daemon().name("llmc4j-heap").unstarted(() -> watch(mark, share));
    }

    /** @param planned bytes of heap that the run needs */
    static HeapKeeper start(long planned) {
        HeapKeeper k = new HeapKeeper(Math.max(LEAST, planned), 1.3);
        k.watcher.start();
        return k;
    }

    /** Without a plan: the heap may grow to twice what lives. */
    public static HeapKeeper start() {
        HeapKeeper k = new HeapKeeper(LEAST, 2);
        k.watcher.start();
        return k;
    }

    private void watch(long planned, double share) {
        long mark = planned;
        while (!done) {
            if (used() > mark) {
                System.gc();
                mark = Math.max(planned, (long) (used() * share));
            }
            try {
                Thread.sleep(INTERVAL_MS);
            } catch (InterruptedException e) {
                return;
            }
        }
    }

    private static long used() {
        return JVM.totalMemory() - JVM.freeMemory();
    }

    @Override
    public void close() {
        done = true;
        watcher.interrupt();
    }
}
