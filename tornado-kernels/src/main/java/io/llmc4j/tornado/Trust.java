package io.llmc4j.tornado;

import io.llmc4j.engine.device.DeviceMath;
import io.llmc4j.engine.kernel.Kernels;
import java.util.Optional;
import java.util.SplittableRandom;

/**
 * Whether a device may compute a form of product at all: it is given known numbers first, over more than one block of sums and around tile edges, of ordinary
 * size, wide range, and so small that a device which flushes subnormals shows it. Strict: every bit has to be the CPU's. Fast: a thousandth of the
 * largest, which only a device that is broken misses.
 */
final class Trust {

    private static final int ROWS = 67;
    private static final int COLS = 61;
    private static final int DEPTH = Kernels.K_BLOCK + 37;
    private static final double FAST_TOLERANCE = 1e-3;

    private final Kernels cpu;
    private final DeviceMath math;

    Trust(Kernels cpu, DeviceMath math) {
        this.cpu = cpu;
        this.math = math;
    }

    /** Why this device may not compute these products; empty when it may. */
    Optional<String> product(Accelerator device, Form form) throws DeviceFailure {
        Panel a = form == Form.TN ? values(1, DEPTH, ROWS, false) : values(1, ROWS, DEPTH, true);
        Panel b = form == Form.NT ? values(2, COLS, DEPTH, true) : values(2, DEPTH, COLS, false);
        for (boolean accumulate : new boolean[] {false, true}) {
            Panel want = values(3, ROWS, COLS, true);
            Panel got = values(3, ROWS, COLS, true);
            form.by(cpu, a, b, want, accumulate);
            device.product(form, a, b, got, accumulate);
            Optional<String> difference = difference(want.data(), got.data());
            if (difference.isPresent()) {
                return difference;
            }
        }
        return Optional.empty();
    }

    /** The same for XᵀX. */
    Optional<String> gram(Accelerator device) throws DeviceFailure {
        Panel x = values(4, DEPTH, ROWS, false);
        Panel want = values(5, ROWS, ROWS, true);
        Panel got = values(5, ROWS, ROWS, true);
        cpu.syrk(x.rows(), x.cols(), x.data(), x.off(), x.ld(), want.data(), want.ld());
        device.gram(x, got);
        return difference(want.data(), got.data());
    }

    /** The same for XᵀX over batches, the second of which shrinks the first. */
    Optional<String> gramBatches(Accelerator device) throws DeviceFailure {
        Panel x = values(6, 2 * DEPTH, ROWS, false);
        Panel want = values(7, ROWS, ROWS, true);
        Panel got = values(7, ROWS, ROWS, true);
        float[] shrink = {1f, 2f / 3};
        cpu.syrkBatches(DEPTH, ROWS, x.data(), x.ld(), shrink, want.data(), want.ld());
        device.gramBatches(x, shrink, got);
        return difference(want.data(), got.data());
    }

    private Optional<String> difference(float[] want, float[] got) {
        int different = 0;
        double largest = 0;
        double error = 0;
        for (int i = 0; i < want.length; i++) {
            different += Float.floatToIntBits(want[i]) == Float.floatToIntBits(got[i]) ? 0 : 1;
            largest = Math.max(largest, Math.abs(want[i]));
            double e = Math.abs((double) want[i] - got[i]);
            error = e > error || e != e ? e : error;
        }
        if (math == DeviceMath.STRICT) {
            return different == 0 ? Optional.empty() : Optional.of(different + " of " + want.length + " known sums differ from the CPU's bits");
        }
        return error <= FAST_TOLERANCE * largest ? Optional.empty() : Optional.of("known sums are off by " + error + " where the largest is " + largest);
    }

    /** @param byRows some rows are small (their products with small ones of the other factor are subnormal); else some columns */
    private static Panel values(long seed, int rows, int cols, boolean byRows) {
        SplittableRandom r = new SplittableRandom(seed);
        float[] v = new float[rows * cols];
        for (int i = 0; i < v.length; i++) {
            double x = r.nextGaussian();
            int power = (byRows ? i / cols : i % cols) % 7 == 6 ? -66 : i % 11 == 10 ? r.nextInt(-20, 20) : 0;
            v[i] = (float) Math.scalb(x, power);
        }
        return new Panel(v, 0, cols, rows, cols);
    }
}
