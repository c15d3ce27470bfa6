package io.llmc4j.benchmarks;

import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.kernel.Products;
import io.llmc4j.engine.linalg.Cholesky;
import io.llmc4j.engine.linalg.Precision;
import io.llmc4j.engine.tensor.Matrix;
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

/** XᵀX of n rows, Cholesky, and the upper factor of the inverse. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 2, time = 3)
@Measurement(iterations = 4, time = 3)
@Fork(value = 1, jvmArgsAppend = {"--add-modules", "jdk.incubator.vector"})
public class FactorBenchmark {

    @Param({"2048"})
    private int n;

    @Param({"1", "2"})
    private int threads;

    private Matrix x;
    private Matrix h;

    @Setup
    public void fill() {
        Parallel.setThreads(threads);
        x = new Matrix(n, n, ProductSpeed.random(n * n));
        h = Products.gram(x);
        for (int i = 0; i < n; i++) {
            h.data()[i * n + i] += 1f;
        }
    }

    @Benchmark
    public Matrix gram() {
        return Products.gram(x);
    }

    @Benchmark
    public Matrix choleskyFloat32() {
        return Cholesky.lower(h, Precision.FLOAT32);
    }

    @Benchmark
    public Matrix choleskyFloat64() {
        return Cholesky.lower(h, Precision.FLOAT64);
    }

    @Benchmark
    public Matrix inverseFactorFloat32() {
        return Cholesky.upperInverseFactor(h, Precision.FLOAT32);
    }

    @Benchmark
    public Matrix inverseFactorFloat64() {
        return Cholesky.upperInverseFactor(h, Precision.FLOAT64);
    }
}
