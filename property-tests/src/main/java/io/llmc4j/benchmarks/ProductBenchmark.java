package io.llmc4j.benchmarks;

import io.llmc4j.engine.kernel.Kernels;
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

/** A Bᵀ for the shapes that matter: m tokens, n outputs, k inputs; and ragged ones. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(value = 1, jvmArgsAppend = {"--add-modules", "jdk.incubator.vector"})
public class ProductBenchmark {

    @Param({"2048x768x768", "2048x2048x2048", "2048x4096x4096", "1x768x768", "33x65x768"})
    private String shape;

    @Param({"1", "2"})
    private int threads;

    private int m;
    private int n;
    private int k;
    private float[] a;
    private float[] b;
    private float[] c;

    @Setup
    public void fill() {
        Parallel.setThreads(threads);
        String[] d = shape.split("x");
        m = Integer.parseInt(d[0]);
        n = Integer.parseInt(d[1]);
        k = Integer.parseInt(d[2]);
        a = ProductSpeed.random(m * k);
        b = ProductSpeed.random(n * k);
        c = new float[m * n];
    }

    @Benchmark
    public float[] gemmNT() {
        Kernels.get().gemmNT(m, n, k, a, 0, k, b, 0, k, c, 0, n, false);
        return c;
    }
}
