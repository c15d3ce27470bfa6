package io.llmc4j.cli.bench;

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
import io.llmc4j.engine.tensor.Matrix;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;

/** Cases that multiply and add: products, factors, GPTQ's column loop, attention. */
final class ProductCases {

    private ProductCases() {
    }

    /** @param full also sizes that take seconds */
    static List<BenchCase> list(boolean full) {
        List<BenchCase> cases = new ArrayList<>();
        cases.add(product(2048, 768, 768));
        cases.add(product(2048, 2048, 2048));
        if (full) {
            cases.add(product(2048, 4096, 4096));
        }
        cases.add(product(1, 4096, 4096));
        cases.add(product(33, 65, 768));
        for (int n : full ? new int[] {1024, 2048, 4096} : new int[] {1024}) {
            cases.add(gram(n));
            cases.add(cholesky(n));
            cases.add(inverseFactor(n, Precision.FLOAT32));
            cases.add(inverseFactor(n, Precision.FLOAT64));
            cases.add(gptq(n));
        }
        cases.add(hadamard(1024, 4096));
        cases.add(attention(16, 64, 1024));
        return cases;
    }

    private static BenchCase product(int m, int n, int k) {
        return BenchCase.arithmetic("gemm-" + m + "-" + n + "-" + k, "product X Wᵀ", m + " x " + n + " x " + k, 2.0 * m * n * k, true, () -> {
            float[] a = random(m * k);
            float[] b = random(n * k);
            float[] c = new float[m * n];
            return () -> Kernels.get().gemmNT(m, n, k, a, 0, k, b, 0, k, c, 0, n, false);
        });
    }

    private static BenchCase gram(int n) {
        return BenchCase.arithmetic("gram-" + n, "Hessian XᵀX", n + " x " + n, (double) n * n * n, true, () -> {
            Matrix x = new Matrix(n, n, random(n * n));
            Matrix h = new Matrix(n, n);
            return () -> Products.addGram(x, h);
        });
    }

    private static BenchCase cholesky(int n) {
        return BenchCase.arithmetic("cholesky-" + n, "Cholesky, float32", "n = " + n, (double) n * n * n / 3, true, () -> {
            Matrix h = definite(n);
            return () -> Cholesky.lower(h, Precision.FLOAT32);
        });
    }

    private static BenchCase inverseFactor(int n, Precision p) {
        String type = p == Precision.FLOAT32 ? "float32" : "float64";
        return BenchCase.arithmetic("inverse-factor-" + type + "-" + n, "factor of H⁻¹, " + type, "n = " + n, 2.0 * n * n * n / 3, true, () -> {
            Matrix h = definite(n);
            return () -> Cholesky.upperInverseFactor(h, p);
        });
    }

    /** The column loop of a layer; its Hessian and the factor have rows of their own. */
    private static BenchCase gptq(int n) {
        return BenchCase.arithmetic("gptq-" + n, "GPTQ column loop, int4", n + " x " + n + ", groups of 128", (double) n * n * n, true, () -> {
            Quantizer q = Quantizer.of(QuantScheme.integer(4, true, Granularity.perGroup(128)));
            GptqSolver solver = new GptqSolver(q, false, 128, false);
            InverseHessian inverse = InverseHessian.of(definite(n), ColumnOrder.natural(n), 0.01, Precision.FLOAT32, "bench");
            Matrix w = new Matrix(n, n, random(n * n));
            return () -> solver.solve(w, inverse);
        });
    }

    private static BenchCase hadamard(int rows, int n) {
        return BenchCase.traffic("hadamard-" + n, "Hadamard transform of rows", rows + " x " + n, 4.0 * rows * n, 8.0 * rows * n, true, () -> {
            Matrix x = new Matrix(rows, n, random(rows * n));
            Hadamard h = Hadamard.forSize(n);
            return () -> h.transformRows(x);
        });
    }

    private static BenchCase attention(int heads, int headDim, int tokens) {
        // A token sees itself and those before: half of the square.
        double flop = 2.0 * 2 * heads * headDim * tokens * (tokens + 1) / 2;
        return BenchCase.arithmetic("attention-" + heads + "-" + headDim + "-" + tokens, "causal attention", heads + " heads of " + headDim + ", " + tokens + " tokens", flop, true, () -> {
            AttentionSpec spec = new AttentionSpec(heads, heads, headDim, headDim, 1f / (float) Math.sqrt(headDim), new AttentionSpec.NoPosition(), 0, 0f,
                    AttentionSpec.QkNorm.NONE, false, Optional.empty(), 0);
            Attention attention = new Attention(spec, new float[0]);
            Matrix q = new Matrix(tokens, heads * headDim, random(tokens * heads * headDim));
            KvCache.KeysValues kv = new KvCache.KeysValues(q.copy(), q.copy(), tokens);
            return () -> attention.forward(q, kv, 1, tokens);
        });
    }

    private static Matrix definite(int n) {
        Matrix h = Products.gram(new Matrix(n, n, random(n * n)));
        for (int i = 0; i < n; i++) {
            h.data()[i * n + i] += 1f;
        }
        return h;
    }

    static float[] random(int n) {
        Random r = new Random(1);
        float[] v = new float[n];
        for (int i = 0; i < n; i++) {
            v[i] = r.nextFloat() - 0.5f;
        }
        return v;
    }
}
