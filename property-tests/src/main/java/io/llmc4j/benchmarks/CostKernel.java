package io.llmc4j.benchmarks;

import io.llmc4j.engine.kernel.Activation;
import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Products;
import io.llmc4j.engine.linalg.Cholesky;
import io.llmc4j.engine.linalg.Hadamard;
import io.llmc4j.engine.linalg.Precision;
import io.llmc4j.engine.method.ColumnOrder;
import io.llmc4j.engine.method.GptqSolver;
import io.llmc4j.engine.method.InverseHessian;
import io.llmc4j.engine.model.Attention;
import io.llmc4j.engine.model.AttentionSpec;
import io.llmc4j.engine.model.KvCache;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.quant.StoredRounding;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import java.lang.foreign.Arena;
import java.util.Optional;
import java.util.function.IntConsumer;
import java.util.function.IntFunction;
import java.util.function.IntToDoubleFunction;

/**
 * Work whose size is one number n, with what it costs in arithmetic. Kernels of a row go over as many rows as make 4 Mi values, whatever n is: so the
 * caches do not count as the row's cost.
 */
public enum CostKernel {

    /** n by n by n. */
    PRODUCT(n -> cube(n), n -> {
        float[] a = ProductSpeed.random(n * n);
        float[] b = ProductSpeed.random(n * n);
        float[] c = new float[n * n];
        return () -> Kernels.get().gemmNT(n, n, n, a, 0, n, b, 0, n, c, 0, n, false);
    }),
    /** XᵀX of n rows. */
    GRAM(n -> cube(n), n -> {
        Matrix x = square(n);
        Matrix h = new Matrix(n, n);
        return () -> Products.addGram(x, h);
    }),
    CHOLESKY_FLOAT32(n -> cube(n), n -> {
        Matrix h = definite(n);
        return () -> Cholesky.lower(h, Precision.FLOAT32);
    }),
    CHOLESKY_FLOAT64(n -> cube(n), n -> {
        Matrix h = definite(n);
        return () -> Cholesky.lower(h, Precision.FLOAT64);
    }),
    INVERSE_FACTOR_FLOAT32(n -> cube(n), n -> {
        Matrix h = definite(n);
        return () -> Cholesky.upperInverseFactor(h, Precision.FLOAT32);
    }),
    INVERSE_FACTOR_FLOAT64(n -> cube(n), n -> {
        Matrix h = definite(n);
        return () -> Cholesky.upperInverseFactor(h, Precision.FLOAT64);
    }),
    /** A layer of n by n, int4, groups of 128. */
    GPTQ_LOOP(n -> n % 128 == 0 ? cube(n) : 0, n -> gptq(n, Granularity.perGroup(128))),
    /** A layer of n by n, int4, one range a row. */
    GPTQ_LOOP_ROWS(n -> cube(n), n -> gptq(n, Granularity.PER_CHANNEL)),
    /** Causal, n tokens, 4 heads of 64. */
    ATTENTION(n -> (double) n * (n + 1), n -> {
        int heads = 4;
        int headDim = 64;
        AttentionSpec spec = new AttentionSpec(heads, heads, headDim, headDim, 0.125f, new AttentionSpec.NoPosition(), 0, 0f, AttentionSpec.QkNorm.NONE, false,
                Optional.empty(), 0);
        Attention attention = new Attention(spec, new float[0]);
        Matrix q = new Matrix(n, heads * headDim, ProductSpeed.random(n * heads * headDim));
        KvCache.KeysValues kv = new KvCache.KeysValues(q.copy(), q.copy(), n);
        return () -> attention.forward(q, kv, 1, n);
    }),
    /** Of rows of n = k · m, m a power of two: log2 m additions a value, and k more where k is above 1. */
    HADAMARD(n -> hadamard(n), n -> {
        Matrix x = values(n);
        Hadamard h = Hadamard.forSize(n);
        return () -> h.transformRows(x);
    }),
    /** Round to nearest from bf16 to packed int4, groups of 128. */
    ROUND_TO_NEAREST(n -> n % 128 == 0 ? n : 0, n -> {
        Matrix x = values(n);
        Tensor t = Tensors.fromFloats(DType.BF16, new Shape(x.rows(), n), x.data(), Arena.ofAuto());
        return () -> StoredRounding.of(t, QuantScheme.integer(4, true, Granularity.perGroup(128)));
    }),
    SOFTMAX(n -> n, n -> rows(n, (k, x, at) -> k.softmax(n, x, at))),
    LOG_SUM_EXP(n -> n, n -> rows(n, (k, x, at) -> x[at] = k.logSumExp(n, x, at) * 0x1p-6f)),
    RMS_NORM(n -> n, n -> {
        float[] weight = ProductSpeed.random(n);
        return rows(n, (k, x, at) -> k.rmsNorm(n, x, at, weight, 1e-5f, x, at));
    }),
    LAYER_NORM(n -> n, n -> {
        float[] weight = ProductSpeed.random(n);
        return rows(n, (k, x, at) -> k.layerNorm(n, x, at, weight, weight, 1e-5f, x, at));
    }),
    SILU(n -> n, n -> rows(n, (k, x, at) -> k.activate(Activation.SILU, n, x, at))),
    GELU(n -> n, n -> rows(n, (k, x, at) -> k.activate(Activation.GELU_ERF, n, x, at))),
    DOT(n -> n, n -> {
        float[] y = ProductSpeed.random(n);
        return rows(n, (k, x, at) -> x[at] = k.dot(n, x, at, y, 0));
    }),
    ABS_MAX(n -> n, n -> rows(n, (k, x, at) -> x[at] = k.absMax(n, x, at))),
    AXPY(n -> n, n -> {
        float[] y = ProductSpeed.random(n);
        return rows(n, (k, x, at) -> k.axpy(n, 0x1p-20f, y, 0, x, at));
    }),
    FAKE_QUANTIZE(n -> n, n -> rows(n, (k, x, at) -> k.fakeQuantize(n, x, at, 0.05f, 8f, 0f, 15f, x, at)));

    private static final int VALUES = 1 << 22;

    private final IntToDoubleFunction arithmetic;
    private final IntFunction<Runnable> prepare;

    CostKernel(IntToDoubleFunction arithmetic, IntFunction<Runnable> prepare) {
        this.arithmetic = arithmetic;
        this.prepare = prepare;
    }

    /** What the arithmetic of size n is proportional to; 0 for a size that the kernel does not have. */
    double arithmetic(int n) {
        return arithmetic.applyAsDouble(n);
    }

    /** How many times the work of size n a round does. */
    int units(int n) {
        return compareTo(HADAMARD) < 0 ? 1 : VALUES / n;
    }

    /** Whether the work can have this size. */
    boolean allows(int n) {
        return arithmetic(n) > 0;
    }

    /** Operands of size n; the result does {@link #units} of work. */
    Runnable prepare(int n) {
        return prepare.apply(n);
    }

    @FunctionalInterface
    private interface Row {
        void run(Kernels kernels, float[] x, int at);
    }

    private static Runnable rows(int n, Row row) {
        float[] x = values(n).data();
        int count = x.length / n;
        Kernels kernels = Kernels.get();
        IntConsumer one = r -> row.run(kernels, x, r * n);
        return () -> {
            for (int r = 0; r < count; r++) {
                one.accept(r);
            }
        };
    }

    private static Matrix values(int n) {
        int rows = VALUES / n;
        return new Matrix(rows, n, ProductSpeed.random(rows * n));
    }

    private static double cube(int n) {
        return (double) n * n * n;
    }

    private static Matrix square(int n) {
        return new Matrix(n, n, ProductSpeed.random(n * n));
    }

    private static Matrix definite(int n) {
        Matrix h = Products.gram(square(n));
        for (int i = 0; i < n; i++) {
            h.data()[i * n + i] += 1f;
        }
        return h;
    }

    private static double hadamard(int n) {
        int k = Hadamard.orderFor(n);
        return k == 0 ? 0 : n * (double) (Integer.numberOfTrailingZeros(n / k) + (k > 1 ? k : 0));
    }

    private static Runnable gptq(int n, Granularity granularity) {
        GptqSolver solver = new GptqSolver(Quantizer.of(QuantScheme.integer(4, true, granularity)), false, 128, false);
        InverseHessian inverse = InverseHessian.of(definite(n), ColumnOrder.natural(n), 0.01, Precision.FLOAT32, "benchmark");
        Matrix w = square(n);
        return () -> solver.solve(w, inverse);
    }
}
