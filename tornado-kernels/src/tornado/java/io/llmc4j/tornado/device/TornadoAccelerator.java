package io.llmc4j.tornado.device;

import io.llmc4j.engine.device.Device;
import io.llmc4j.engine.device.DeviceMath;
import io.llmc4j.engine.device.DeviceTiming;
import io.llmc4j.engine.kernel.SelfTest;
import io.llmc4j.tornado.Accelerator;
import io.llmc4j.tornado.BufferBudget;
import io.llmc4j.tornado.DeviceFailure;
import io.llmc4j.tornado.Form;
import io.llmc4j.tornado.Panel;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import uk.ac.manchester.tornado.api.common.TornadoDevice;

/** A TornadoVM device that is open. */
final class TornadoAccelerator implements Accelerator {

    private final Device description;
    private final TornadoDevice device;
    private final Products products;
    private final Variant variant;
    private final List<String> remarks = new ArrayList<>();
    /** In fast mathematics, where the backend has one. Given up at its first failure. */
    private Optional<LibraryProducts> library;

    TornadoAccelerator(Device description, DeviceMath math) {
        this.description = description;
        this.device = TornadoFactory.device(description.index());
        this.variant = Variant.of(description);
        this.library = math == DeviceMath.FAST ? LibraryProducts.of(device) : Optional.empty();
        this.products = new Products(device, description, BufferBudget.of(description).totalBytes());
    }

    @Override
    public Device device() {
        return description;
    }

    @Override
    public void product(Form form, Panel a, Panel b, Panel c, boolean accumulate) throws DeviceFailure {
        if (library.isPresent() && !accumulate) {
            try {
                library.get().product(form, a, b, c);
                return;
            } catch (DeviceFailure e) {
                remarks.add(description + ": " + e.getMessage() + "; TornadoVM's own kernels computed everything after it");
                library.get().close();
                library = Optional.empty();
            }
        }
        products.product(variant, form, a, b, c, accumulate);
    }

    @Override
    public void gram(Panel x, Panel h) throws DeviceFailure {
        products.gram(variant, x, h);
    }

    @Override
    public void gramBatches(Panel x, float[] shrink, Panel h) throws DeviceFailure {
        products.gramBatches(variant, x, shrink, h);
    }

    @Override
    public List<String> remarks() {
        return remarks;
    }

    @Override
    public List<SelfTest.Result> selfTest(double seconds) {
        return new DeviceChecks(device, description).all();
    }

    @Override
    public List<DeviceTiming> time(List<Integer> sizes) {
        List<DeviceTiming> out = new ArrayList<>();
        for (int n : sizes) {
            for (Variant v : Variant.values()) {
                if (v.fits(description)) {
                    out.add(time(v, n));
                }
            }
        }
        return out;
    }

    /** The best of three after one that compiles; NaN where the device failed. */
    private DeviceTiming time(Variant v, int n) {
        SplittableRandom r = new SplittableRandom(n);
        float[] a = new float[n * n];
        float[] b = new float[n * n];
        for (int i = 0; i < a.length; i++) {
            a[i] = (float) r.nextGaussian();
            b[i] = (float) r.nextGaussian();
        }
        Panel pa = new Panel(a, 0, n, n, n);
        Panel pb = new Panel(b, 0, n, n, n);
        Panel pc = new Panel(new float[n * n], 0, n, n, n);
        DeviceTiming best = new DeviceTiming(Form.NT.title() + ", " + v.words(), n, Double.NaN, Double.NaN, Double.NaN);
        try {
            for (int i = 0; i < 4; i++) {
                long start = System.nanoTime();
                products.product(v, Form.NT, pa, pb, pc, false);
                double whole = (System.nanoTime() - start) * 1e-9;
                if (i > 0 && !(whole >= best.wholeSeconds())) {
                    long[] nanos = products.lastNanos();
                    best = new DeviceTiming(best.what(), n, whole, nanos[0] * 1e-9, nanos[1] * 1e-9);
                }
            }
        } catch (DeviceFailure e) {
            return best;
        }
        return best;
    }

    @Override
    public void close() {
        library.ifPresent(LibraryProducts::close);
        products.close();
    }
}
