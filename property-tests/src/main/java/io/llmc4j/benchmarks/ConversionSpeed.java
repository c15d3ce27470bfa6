package io.llmc4j.benchmarks;

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
                report("decode " + type, t, () -> Tensors.toFloats(t, 0, out, 0, n));
                report("encode " + type, t, () -> Tensors.store(t, 0, values, 0, n));
            }
            Tensor f32 = Tensors.fromFloats(DType.F32, new Shape(n), values, arena);
            report("copy F32", f32, () -> Tensors.toFloats(f32, 0, out, 0, n));
        }
    }

    private static void report(String what, Tensor t, Runnable work) {
        double best = Double.POSITIVE_INFINITY;
        for (int i = 0; i < 40; i++) {
            long start = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
            work.run();
            best = Math.min(best, (ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime() - start) / 1e9);
        }
        System.out.printf(Locale.ROOT, "%-16s %7.2f GB/s%n", what, t.bytes().byteSize() / best / 1e9);
    }
}
