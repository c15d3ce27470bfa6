package io.llmc4j.laws;

import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import io.llmc4j.engine.kernel.Activation;
import io.llmc4j.engine.kernel.DoubleKernels;
import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.kernel.StoredFloats;
import io.llmc4j.engine.kernel.VectorDoubleKernels;
import io.llmc4j.engine.kernel.VectorStoredFloats;
import java.lang.management.ManagementFactory;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * A vector that escapes is boxed, and a kernel with boxed vectors is ten to a hundred times slower: what a warm kernel allocates per call shows
 * it without a clock. Products may allocate the small record of a call.
 */
class KernelAllocationTest {

    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    private static final int N = 1003;
    private int threads;

    @BeforeEach
    void oneThread() {
        threads = Parallel.threads();
        Parallel.setThreads(1);
    }

    @AfterEach
    void restore() {
        Parallel.setThreads(threads);
    }

    private interface Call {
        float run();
    }

    private static float sink;

    private static double bytesPerCall(Call call) {
        long id = Thread.currentThread().threadId();
        double least = Double.POSITIVE_INFINITY;
        // Compilation happens in the background: the best of several batches, with time to arrive.
        for (int batch = 0; batch < 60 && least > 400; batch++) {
            long before = THREADS.getThreadAllocatedBytes(id);
            for (int i = 0; i < 1000; i++) {
                sink += call.run();
            }
            least = Math.min(least, (THREADS.getThreadAllocatedBytes(id) - before) / 1000.0);
        }
        return least;
    }

    @Test
    void warmKernelsDoNotAllocate() {
        Kernels k = Kernels.named("vector");
        Random r = new Random(1);
        float[] a = new float[N];
        float[] b = new float[N];
        for (int i = 0; i < N; i++) {
            a[i] = (float) r.nextGaussian();
            b[i] = (float) r.nextGaussian();
        }
        float[] out = new float[N];
        float[] wide = new float[17 * 65];
        Map<String, Call> calls = new LinkedHashMap<>();
        calls.put("dot", () -> k.dot(N, a, 0, b, 0));
        calls.put("sum", () -> k.sum(N, a, 0));
        calls.put("squaredDistance", () -> k.squaredDistance(N, a, 0, b, 0));
        calls.put("min", () -> k.min(N, a, 0));
        calls.put("max", () -> k.max(N, a, 0));
        calls.put("absMax", () -> k.absMax(N, a, 0));
        calls.put("logSumExp", () -> k.logSumExp(N, a, 0));
        calls.put("subtractProducts", () -> { k.subtractProducts(N / 4, 3, b, 0, a, 0, N / 4, out, 0); return 0; });
        calls.put("axpy", () -> { k.axpy(N, 0f, a, 0, out, 0); return 0; });
        calls.put("multiply", () -> { k.multiply(N, a, 0, b, 0, out, 0); return 0; });
        calls.put("add", () -> { k.add(N, a, 0, b, 0, out, 0); return 0; });
        calls.put("scale", () -> { k.scale(N, 1f, out, 0); return 0; });
        calls.put("softmax", () -> { k.softmax(N, out, 0); return 0; });
        calls.put("rmsNorm", () -> { k.rmsNorm(N, a, 0, b, 1e-5f, out, 0); return 0; });
        calls.put("layerNorm", () -> { k.layerNorm(N, a, 0, b, b, 1e-5f, out, 0); return 0; });
        calls.put("walshHadamard", () -> { k.walshHadamard(512, out, 0); k.scale(512, 0x1p-9f, out, 0); return 0; });
        calls.put("fakeQuantize", () -> { k.fakeQuantize(N, a, 0, 0.1f, 8, 0, 15, out, 0); return 0; });
        calls.put("quantize", () -> { k.quantize(N, a, 0, 0.1f, 8, 0, 15, out, 0); return 0; });
        calls.put("fakeQuantizeFloat", () -> { k.fakeQuantizeFloat(N, a, 0, 0.1f, 0.1f, 3, 0x1p-6f, 448f, out, 0); return 0; });
        StoredFloats stored = new VectorStoredFloats();
        byte[] bytes = new byte[N];
        short[] shorts = new short[N];
        int[] ints = new int[N];
        calls.put("bf16ToFloats", () -> { stored.bf16ToFloats(N, shorts, 0, out, 0); return 0; });
        calls.put("floatsToBf16", () -> { stored.floatsToBf16(N, a, 0, shorts, 0); return 0; });
        calls.put("f16ToFloats", () -> { stored.f16ToFloats(N, shorts, 0, out, 0); return 0; });
        calls.put("floatsToF16", () -> { stored.floatsToF16(N, a, 0, shorts, 0); return 0; });
        calls.put("e4m3ToFloats", () -> { stored.e4m3ToFloats(N, bytes, 0, out, 0); return 0; });
        calls.put("e5m2ToFloats", () -> { stored.e5m2ToFloats(N, bytes, 0, out, 0); return 0; });
        calls.put("floatsToE4m3", () -> { stored.floatsToE4m3(N, a, 0, bytes, 0, true); return 0; });
        calls.put("floatsToE5m2", () -> { stored.floatsToE5m2(N, a, 0, bytes, 0, true); return 0; });
        calls.put("integerCodes", () -> { stored.integerCodes(N, a, 0, 0.1f, 8, 0, 15, bytes, 0); return 0; });
        calls.put("packNibbles", () -> { stored.packNibbles(N / 8, bytes, 0, ints, 0); return 0; });
        calls.put("unpackNibbles", () -> { stored.unpackNibbles(N / 8, ints, 0, bytes, 0); return 0; });
        calls.put("codesToFloats", () -> { stored.codesToFloats(N, bytes, 0, true, 0, 0.1f, out, 0); return 0; });
        calls.put("bf16Extremes", () -> { stored.bf16Extremes(896, 128, ints, 0, out, out, 128); return 0; });
        calls.put("bf16Nibbles", () -> { stored.bf16Nibbles(896, ints, 0, 0.1f, 8, 0, 15, bytes, 0); return 0; });
        calls.put("groupExtremes", () -> { stored.groupExtremes(N, 128, a, 0, out, out, 128); return 0; });
        DoubleKernels doubles = new VectorDoubleKernels();
        double[] d = new double[N];
        calls.put("double subtractProduct", () -> { doubles.subtractProduct(15, 29, 17, d, 0, 17, 1, d, 0, 29, 1, d, 0, 29); return 0; });
        calls.put("double axpy", () -> { doubles.axpy(N, 0.5, d, 0, d, 0); return 0; });
        for (Activation f : Activation.values()) {
            calls.put("activate " + f, () -> { k.activate(f, N, out, 0); return 0; });
        }
        // 15 rows and 29 columns use every kind of tile: wide, narrow, short and ragged.
        calls.put("gemmNT", () -> { k.gemmNT(15, 29, 34, a, 0, 34, b, 0, 34, out, 0, 29, false); return 0; });
        // 17 rows by 65 columns are packed; fewer are slim, each kind with tiles of its own.
        calls.put("gemmNT packed", () -> { k.gemmNT(17, 65, 9, a, 0, 9, b, 0, 9, wide, 0, 65, false); return 0; });
        calls.put("gemmNT narrow", () -> { k.gemmNT(19, 7, 50, a, 0, 50, b, 0, 50, out, 0, 7, false); return 0; });
        for (int rows = 1; rows <= 3; rows++) {
            int few = rows;
            calls.put("gemmNT of " + few + " rows", () -> { k.gemmNT(few, 29, 34, a, 0, 34, b, 0, 34, out, 0, 29, false); return 0; });
            calls.put("gemmNT of " + few + " columns", () -> { k.gemmNT(29, few, 34, a, 0, 34, b, 0, 34, out, 0, few, false); return 0; });
        }
        calls.put("gemmNN", () -> { k.gemmNN(15, 29, 34, a, 0, 34, b, 0, 29, out, 0, 29, false); return 0; });
        calls.put("gemmTN", () -> { k.gemmTN(15, 29, 34, a, 0, 15, b, 0, 29, out, 0, 29, true); return 0; });
        calls.put("lowerNT", () -> { k.lowerNT(25, 40, a, 0, 40, b, 0, 40, out, 0, 25); k.scale(N, 0f, out, 0); return 0; });
        float[] shrink = {0.5f, 0.5f};
        calls.put("syrkBatches", () -> { k.syrkBatches(20, 25, a, 25, shrink, out, 25); k.scale(N, 0f, out, 0); return 0; });
        calls.put("syrk", () -> { k.syrk(40, 25, a, 0, 25, out, 25); k.scale(N, 0f, out, 0); return 0; });
        StringBuilder bad = new StringBuilder();
        calls.forEach((name, call) -> {
            double perCall = bytesPerCall(call);
            if (perCall > 400) {
                bad.append(name).append(": ").append(perCall).append(" bytes a call\n");
            }
        });
        assertTrue(bad.isEmpty(), bad::toString);
    }
}
