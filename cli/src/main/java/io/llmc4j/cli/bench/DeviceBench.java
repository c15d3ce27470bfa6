package io.llmc4j.cli.bench;

import io.llmc4j.engine.device.Device;
import io.llmc4j.engine.device.DeviceMath;
import io.llmc4j.engine.device.DeviceProvider;
import io.llmc4j.engine.device.DeviceTiming;
import io.llmc4j.engine.kernel.Kernels;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;

/** Products of square matrices on the CPU and on a device, in this one process. */
public final class DeviceBench {

    private static final int ROUNDS = 3;
    /** Until the compiler has surely compiled it. */
    private static final long LEAST_NANOS = 1_000_000_000L;

    private DeviceBench() {
    }

    /** @param cpuSeconds of the same product, all threads */
    public record Row(DeviceTiming device, double cpuSeconds) {

        public double cpuFlops() {
            return 2.0 * device.size() * device.size() * device.size() / cpuSeconds;
        }
    }

    public static List<Row> run(DeviceProvider provider, Device device, DeviceMath math, List<Integer> sizes) {
        Map<Integer, Double> cpu = new TreeMap<>();
        sizes.forEach(n -> cpu.put(n, cpuSeconds(n)));
        // Again: what the small ones waited for, the large ones have had compiled.
        sizes.forEach(n -> cpu.merge(n, cpuSeconds(n), Math::min));
        List<Row> rows = new ArrayList<>();
        for (DeviceTiming t : provider.time(device, math, sizes)) {
            rows.add(new Row(t, cpu.get(t.size())));
        }
        return rows;
    }

    private static double cpuSeconds(int n) {
        SplittableRandom r = new SplittableRandom(n);
        float[] a = new float[n * n];
        float[] b = new float[n * n];
        for (int i = 0; i < a.length; i++) {
            a[i] = (float) r.nextGaussian();
            b[i] = (float) r.nextGaussian();
        }
        float[] c = new float[n * n];
        double best = Double.POSITIVE_INFINITY;
        long begin = System.nanoTime();
        for (int i = 0; i <= ROUNDS || System.nanoTime() - begin < LEAST_NANOS; i++) {
            long start = System.nanoTime();
            Kernels.get().host().gemmNT(n, n, n, a, 0, n, b, 0, n, c, 0, n, false);
            double s = (System.nanoTime() - start) * 1e-9;
            best = i == 0 ? best : Math.min(best, s);
        }
        return best;
    }
}
