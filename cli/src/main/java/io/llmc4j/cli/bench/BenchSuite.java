package io.llmc4j.cli.bench;

import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Parallel;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import java.util.function.Consumer;
import java.util.function.LongSupplier;

/** Fills the table: each case in each column, the shortest of several rounds. */
public final class BenchSuite {

    private static final int LEAST_ROUNDS = 3;

    private BenchSuite() {
    }

    /**
     * One row.
     *
     * @param seconds of one round by column; empty where the column does not take the case
     */
    public record Row(BenchCase work, List<OptionalDouble> seconds) {

        /** Operations or bytes a second. */
        public OptionalDouble rate(int column) {
            OptionalDouble s = seconds.get(column);
            return s.isPresent() && work.unit() != BenchCase.Unit.RUN ? OptionalDouble.of(work.amount() / s.getAsDouble()) : OptionalDouble.empty();
        }

        /** Share of the column's peak, 0 to 1; empty where there is none to hold it to. */
        public OptionalDouble share(int column, BenchColumn by) {
            OptionalDouble s = seconds.get(column);
            double peak = by.peak(work.unit());
            return s.isPresent() && peak > 0 && work.load() > 0 ? OptionalDouble.of(work.load() / s.getAsDouble() / peak) : OptionalDouble.empty();
        }
    }

    /**
     * @param seconds for one case in one column, about (more while rounds still get shorter); at least three rounds are run (whole runs: one)
     * @param done    told after each row
     */
    public static List<Row> run(List<BenchCase> cases, List<BenchColumn> columns, double seconds, Consumer<Row> done) {
        Kernels kernels = Kernels.get();
        int threads = Parallel.threads();
        List<Row> rows = new ArrayList<>();
        try {
            for (BenchCase c : cases) {
                List<OptionalDouble> times = new ArrayList<>();
                for (BenchColumn column : columns) {
                    if (column.takes(c)) {
                        Kernels.use(column.kernels());
                        Parallel.setThreads(column.threads());
                        times.add(OptionalDouble.of(time(c, c.unit() == BenchCase.Unit.RUN ? System::nanoTime : column.clock(), seconds)));
                    } else {
                        times.add(OptionalDouble.empty());
                    }
                }
                Row row = new Row(c, times);
                rows.add(row);
                done.accept(row);
            }
        } finally {
            Kernels.use(kernels);
            Parallel.setThreads(threads);
        }
        return rows;
    }

    private static double time(BenchCase c, LongSupplier clock, double seconds) {
        try (BenchCase.Round round = c.prepare().get()) {
            long begin = System.nanoTime();
            long budget = (long) (seconds * 1e9);
            double best = Double.POSITIVE_INFINITY;
            long improved = begin;
            boolean whole = c.unit() == BenchCase.Unit.RUN;
            for (int i = 0; whole ? i < 1 : i < LEAST_ROUNDS || goesOn(begin, improved, budget); i++) {
                long start = clock.getAsLong();
                round.run();
                double s = (clock.getAsLong() - start) / 1e9;
                if (s < best * 0.97) {
                    improved = System.nanoTime();
                }
                best = Math.min(best, s);
            }
            return best;
        }
    }

    /** The compiler comes late on a busy machine: as long as rounds still get much shorter, there are more, up to a limit. */
    private static boolean goesOn(long begin, long improved, long budget) {
        long now = System.nanoTime();
        return now - begin < budget || now - improved < budget / 2 && now - begin < 6 * budget;
    }
}
