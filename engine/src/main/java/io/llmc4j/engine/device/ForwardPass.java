package io.llmc4j.engine.device;

import java.util.function.Supplier;

/**
 * Marks the products of a forward pass, which fast mathematics may compute. Everything outside the mark decides something (a scale, a range, a code, a
 * Hessian, a loss that a search compares) and is never computed with relaxed mathematics. The mark holds for the thread that set it.
 */
public final class ForwardPass {

    private static final ThreadLocal<Integer> DEPTH = ThreadLocal.withInitial(() -> 0);

    private ForwardPass() {
    }

    /** Whether this thread is in a forward pass. */
    public static boolean active() {
        return DEPTH.get() > 0;
    }

    /** Computes this as a forward pass. */
    public static <T> T of(Supplier<T> pass) {
        return within(DEPTH.get() + 1, pass);
    }

    /** Computes this as a decision, also where a forward pass called it: a hook that gathers a Hessian, say. */
    public static <T> T decision(Supplier<T> decision) {
        return within(0, decision);
    }

    private static <T> T within(int depth, Supplier<T> what) {
        int outer = DEPTH.get();
        DEPTH.set(depth);
        try {
            return what.get();
        } finally {
            DEPTH.set(outer);
        }
    }
}
