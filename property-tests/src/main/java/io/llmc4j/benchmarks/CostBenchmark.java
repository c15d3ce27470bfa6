package io.llmc4j.benchmarks;

import io.llmc4j.engine.kernel.Parallel;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** Every kind of kernel over n, powers of two and their odd neighbours, on one thread. {@link CostExponents} runs it and fits the exponents. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SampleTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 500, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 2, time = 500, timeUnit = TimeUnit.MILLISECONDS)
@Fork(value = 1, jvmArgsAppend = {"--add-modules", "jdk.incubator.vector", "-Xmx3g"})
public class CostBenchmark {

    @Param
    private CostKernel kernel;

    @Param({"512", "1024", "1031", "1536", "2048", "2053", "4096"})
    private int n;

    private Runnable work;

    @Setup
    public void prepare() {
        Parallel.setThreads(1);
        work = kernel.prepare(n);
    }

    @Benchmark
    public void run() {
        work.run();
    }
}
