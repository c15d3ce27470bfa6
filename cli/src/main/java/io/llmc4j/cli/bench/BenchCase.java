package io.llmc4j.cli.bench;

import java.util.function.Supplier;

/**
 * One row of the table: some work whose size is known.
 *
 * @param id      for machines and for times of other programs: lower case, with dashes
 * @param kernel  what is done
 * @param shape   on what
 * @param unit    what the work is counted in, and so which peak it is held to
 * @param amount  how much of that one round does: what the rate counts
 * @param load    what of it is held to the peak: operations; bytes that pass between core and memory, read and written; 0: nothing
 * @param portable whether it computes with the current {@link io.llmc4j.engine.kernel.Kernels} alone, so that a device can do it
 * @param prepare makes the operands with the column's settings in force, and gives one round
 */
public record BenchCase(String id, String kernel, String shape, Unit unit, double amount, double load, boolean portable, Supplier<Round> prepare) {

    /** What is counted. */
    public enum Unit {
        /** Floating point operations; held to the multiply-add peak. */
        FLOP,
        /** Bytes of what the row names; held to the copy peak. */
        BYTE,
        /** Whole runs: seconds only. */
        RUN
    }

    /** One round of the work; closing gives back files and memory. */
    public interface Round extends AutoCloseable {

        void run();

        @Override
        default void close() {
        }
    }

    /** Work that multiplies and adds. */
    static BenchCase arithmetic(String id, String kernel, String shape, double flop, boolean portable, Supplier<Round> prepare) {
        return new BenchCase(id, kernel, shape, Unit.FLOP, flop, flop, portable, prepare);
    }

    /** Work that waits for memory: the rate counts {@code bytes}, of which and of others {@code moved} go through memory. */
    static BenchCase traffic(String id, String kernel, String shape, double bytes, double moved, boolean portable, Supplier<Round> prepare) {
        return new BenchCase(id, kernel, shape, Unit.BYTE, bytes, moved, portable, prepare);
    }

    /** Work that stays in a core's caches: the rate counts {@code bytes}, and there is no peak to hold it to. */
    static BenchCase cached(String id, String kernel, String shape, double bytes, Supplier<Round> prepare) {
        return new BenchCase(id, kernel, shape, Unit.BYTE, bytes, 0, false, prepare);
    }

    /** A whole run. */
    static BenchCase run(String id, String kernel, String shape, Supplier<Round> prepare) {
        return new BenchCase(id, kernel, shape, Unit.RUN, 1, 1, false, prepare);
    }
}
