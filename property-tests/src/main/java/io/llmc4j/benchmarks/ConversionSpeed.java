package io.llmc4j.benchmarks;

import io.llmc4j.engine.kernel.StoredFloats;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import java.lang.foreign.Arena;
import java.lang.management.ManagementFactory;
import java.util.Locale;

/** Quick look at decoding and encoding of stored types: processor time of one thread, gigabytes of the stored type a second. */
public final class ConversionSpeed {

    private ConversionSpeed() {
    }

    public static void main(String[] args) {
        int n = 1 << 22;
        float[] values = ProductSpeed.random(n);
        float[] out = new float[n];
        try (Arena arena = Arena.ofConfined()) {
            for (DType type : new DType[] {DType.BF16, DType.F16, DType.F8_E4M3, DType.F8_E5M2}) {
                Tensor t = Tensors.fromFloats(type, new Shape(n), values, arena);
                report("decode " + type, t.bytes().byteSize(), () -> Tensors.toFloats(t, 0, out, 0, n));
                report("encode " + type, t.bytes().byteSize(), () -> Tensors.store(t, 0, values, 0, n));
            }
            StoredFloats kernels = StoredFloats.get();
            byte[] bytes = new byte[n];
            short[] shorts = new short[n];
            report("bf16 decode", 2L * n, () -> kernels.bf16ToFloats(n, shorts, 0, out, 0));
            report("bf16 encode", 2L * n, () -> kernels.floatsToBf16(n, values, 0, shorts, 0));
            report("e4m3 encode", n, () -> kernels.floatsToE4m3(n, values, 0, bytes, 0, true));
            report("extremes of 128", 4L * n, () -> kernels.groupExtremes(n, 128, values, 0, out, out, 0));
            Tensor f32 = Tensors.fromFloats(DType.F32, new Shape(n), values, arena);
            report("copy F32", f32.bytes().byteSize(), () -> Tensors.toFloats(f32, 0, out, 0, n));
        }
    }

    private static void report(String what, long size, Runnable work) {
        double best = Double.POSITIVE_INFINITY;
        for (int i = 0; i < 40; i++) {
            long start = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
            work.run();
            best = Math.min(best, (ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime() - start) / 1e9);
        }
        System.out.printf(Locale.ROOT, "%-16s %7.2f GB/s%n", what, size / best / 1e9);
    }
}
