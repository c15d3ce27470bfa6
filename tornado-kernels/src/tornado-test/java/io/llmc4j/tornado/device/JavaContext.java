package io.llmc4j.tornado.device;

import io.llmc4j.tornado.Grid;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.atomic.AtomicReference;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** Runs all work items of a launch in Java: one after the other; or, where they meet at barriers, those of a group as threads. */
final class JavaContext extends KernelContext {

    /** What the items of a group share. */
    private static final class Group {
        final List<float[]> local = new ArrayList<>();
        final CyclicBarrier barrier;

        Group(int items) {
            barrier = new CyclicBarrier(items);
        }

        synchronized float[] array(int number, int size) {
            while (local.size() <= number) {
                local.add(new float[size]);
            }
            return local.get(number);
        }
    }

    /** An item that runs alone came to a barrier. */
    private static final class NotAlone extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }

    private final Group group;
    private final boolean alone;
    private int arrays;

    private JavaContext(Group group, boolean alone) {
        this.group = group;
        this.alone = alone;
    }

    /** What {@link Program#run} does on a device. */
    static void run(KernelCheck check, KernelCheck.Trial trial) {
        IntArray sizes = new IntArray(16);
        IntArray done = new IntArray(1);
        sizes.init(0);
        done.init(0);
        sizes.set(0, 4711);
        for (int i = 0; i < trial.sizes().length; i++) {
            sizes.set(i + 1, trial.sizes()[i]);
        }
        Grid g = trial.grid();
        boolean alone = true;
        for (int gy = 0; gy < g.globalY() / g.localY(); gy++) {
            for (int gx = 0; gx < g.globalX() / g.localX(); gx++) {
                // Before its first barrier no kernel writes what another item reads, so a group may begin again as threads.
                alone = alone && oneByOne(check, g, gx, gy, sizes, done);
                if (!alone) {
                    asThreads(check, g, gx, gy, sizes, done);
                }
            }
        }
        if (done.get(0) != 4711) {
            throw new AssertionError("no item handed back the ticket");
        }
    }

    private static boolean oneByOne(KernelCheck check, Grid g, int gx, int gy, IntArray sizes, IntArray done) {
        Group group = new Group(1);
        try {
            for (int y = 0; y < g.localY(); y++) {
                for (int x = 0; x < g.localX(); x++) {
                    check.java().item(new JavaContext(group, true).at(g, gx, gy, x, y), sizes, done);
                }
            }
            return true;
        } catch (NotAlone e) {
            return false;
        }
    }

    private static void asThreads(KernelCheck check, Grid g, int gx, int gy, IntArray sizes, IntArray done) {
        Group group = new Group(g.localX() * g.localY());
        AtomicReference<Throwable> failure = new AtomicReference<>();
        List<Thread> threads = new ArrayList<>();
        for (int y = 0; y < g.localY(); y++) {
            for (int x = 0; x < g.localX(); x++) {
                JavaContext c = new JavaContext(group, false).at(g, gx, gy, x, y);
                threads.add(Thread.ofVirtual().start(() -> {
                    try {
                        check.java().item(c, sizes, done);
                    } catch (Throwable t) {
                        failure.compareAndSet(null, t);
                        group.barrier.reset();
                    }
                }));
            }
        }
        try {
            for (Thread t : threads) {
                t.join();
            }
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
        if (failure.get() != null) {
            throw new AssertionError(failure.get());
        }
    }

    /** The ids are public final fields of the API's class, which a device's compiler replaces; Java can only set them by reflection. */
    private JavaContext at(Grid g, int gx, int gy, int x, int y) {
        set("groupIdx", gx);
        set("groupIdy", gy);
        set("localIdx", x);
        set("localIdy", y);
        set("globalIdx", gx * g.localX() + x);
        set("globalIdy", gy * g.localY() + y);
        return this;
    }

    private void set(String field, int value) {
        try {
            java.lang.reflect.Field f = FIELDS.get(field);
            f.set(this, value);
        } catch (IllegalAccessException e) {
            throw new IllegalStateException(e);
        }
    }

    private static final java.util.Map<String, java.lang.reflect.Field> FIELDS = fields();

    private static java.util.Map<String, java.lang.reflect.Field> fields() {
        java.util.Map<String, java.lang.reflect.Field> m = new java.util.HashMap<>();
        for (java.lang.reflect.Field f : KernelContext.class.getFields()) {
            f.setAccessible(true);
            m.put(f.getName(), f);
        }
        return m;
    }

    @Override
    public float[] allocateFloatLocalArray(int size) {
        return group.array(arrays++, size);
    }

    @Override
    public void localBarrier() {
        if (alone) {
            throw new NotAlone();
        }
        try {
            group.barrier.await();
        } catch (InterruptedException | BrokenBarrierException e) {
            throw new IllegalStateException("a barrier that not all items of a group come to", e);
        }
    }
}
