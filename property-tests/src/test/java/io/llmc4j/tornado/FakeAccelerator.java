package io.llmc4j.tornado;

import io.llmc4j.engine.device.Device;
import io.llmc4j.engine.device.DeviceTiming;
import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.ScalarKernels;
import io.llmc4j.engine.kernel.SelfTest;
import java.util.ArrayList;
import java.util.List;

/** A device that computes as the definition does, until a test makes it fail or err. */
final class FakeAccelerator implements Accelerator {

    /** What happens to a call. */
    interface Fate {
        void call(int number, Panel c) throws DeviceFailure;
    }

    private final Kernels scalar = new ScalarKernels();
    private final Device device;
    private final Fate before;
    private final Fate after;
    final List<String> calls = new ArrayList<>();
    boolean closed;

    FakeAccelerator(long memory, Fate before, Fate after) {
        this.device = new Device(0, "OpenCL", "fake", "GPU", memory, 1 << 15, 256);
        this.before = before;
        this.after = after;
    }

    static FakeAccelerator sound() {
        return new FakeAccelerator(8L << 30, (i, c) -> { }, (i, c) -> { });
    }

    @Override
    public Device device() {
        return device;
    }

    @Override
    public void product(Form form, Panel a, Panel b, Panel c, boolean accumulate) throws DeviceFailure {
        calls.add(form + " " + c.rows() + " x " + c.cols() + " x " + form.k(a));
        before.call(calls.size(), c);
        form.by(scalar, a, b, c, accumulate);
        after.call(calls.size(), c);
    }

    @Override
    public void gram(Panel x, Panel h) throws DeviceFailure {
        calls.add("gram " + x.rows() + " x " + x.cols());
        before.call(calls.size(), h);
        scalar.syrk(x.rows(), x.cols(), x.data(), x.off(), x.ld(), h.data(), h.ld());
        after.call(calls.size(), h);
    }

    @Override
    public void gramBatches(Panel x, float[] shrink, Panel h) throws DeviceFailure {
        calls.add("gram of " + shrink.length + " batches");
        before.call(calls.size(), h);
        scalar.syrkBatches(x.rows() / shrink.length, x.cols(), x.data(), x.ld(), shrink, h.data(), h.ld());
        after.call(calls.size(), h);
    }

    @Override
    public List<SelfTest.Result> selfTest(double seconds) {
        return List.of();
    }

    @Override
    public List<DeviceTiming> time(List<Integer> sizes) {
        return List.of();
    }

    @Override
    public void close() {
        closed = true;
    }
}
