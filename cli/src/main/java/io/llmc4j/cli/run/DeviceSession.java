package io.llmc4j.cli.run;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.device.Device;
import io.llmc4j.engine.device.DeviceChoice;
import io.llmc4j.engine.device.DeviceKernels;
import io.llmc4j.engine.device.DeviceList;
import io.llmc4j.engine.device.DeviceMath;
import io.llmc4j.engine.device.DeviceProvider;
import io.llmc4j.engine.kernel.Kernels;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

/** While it is open, the kernels of this process are those of a device, if one was asked for and is there. */
public final class DeviceSession implements AutoCloseable {

    private final Optional<DeviceKernels> kernels;
    private final Optional<Kernels> before;

    private DeviceSession(Optional<DeviceKernels> kernels, Optional<Kernels> before) {
        this.kernels = kernels;
        this.before = before;
    }

    /**
     * @param say what the user should know: which device it is, why there is none, what goes wrong later
     * @throws BadInput (ENVIRONMENT) when a device was asked for and is not there
     */
    public static DeviceSession open(DeviceChoice choice, DeviceMath math, Consumer<String> say) {
        if (choice instanceof DeviceChoice.Cpu) {
            return new DeviceSession(Optional.empty(), Optional.empty());
        }
        Optional<Device> device = choose(choice, math, say);
        if (device.isEmpty()) {
            return new DeviceSession(Optional.empty(), Optional.empty());
        }
        Kernels cpu = Kernels.get();
        DeviceKernels k = provider().open(device.get(), math, cpu, text -> say.accept("note: " + text));
        Kernels.use(k);
        return new DeviceSession(Optional.of(k), Optional.of(cpu));
    }

    /**
     * The device that is meant; says so when it is not what one may think.
     *
     * @return empty: the CPU
     * @throws BadInput (ENVIRONMENT) when a device was asked for and is not there
     */
    public static Optional<Device> choose(DeviceChoice choice, DeviceMath math, Consumer<String> say) {
        DeviceList list = provider().list(math);
        Optional<Device> device = choice.in(list);
        if (device.isEmpty()) {
            say.accept("note: --device auto: the CPU, because " + list.missing().orElse("no device here is a GPU"));
        } else if (choice instanceof DeviceChoice.AnyGpu && !device.get().isGpu()) {
            say.accept("note: no device here is a GPU; " + device.get() + " computes the same, and no faster");
        }
        return device;
    }

    /** The one of this installation; throws BadInput when its jar was taken away. */
    public static DeviceProvider provider() {
        return DeviceProvider.find().orElseThrow(() -> BadInput.of(BadInput.Common.ENVIRONMENT, "this installation has no tornado-kernels jar, and so no devices"));
    }

    /** What the kernels in use computed where; nothing without a device. */
    public static List<String> account() {
        return Kernels.get() instanceof DeviceKernels d ? d.account() : List.of();
    }

    /** The device with relaxed mathematics, on which the bytes of a run then depend. */
    static Optional<String> relaxed() {
        return Kernels.get() instanceof DeviceKernels d && d.math() == DeviceMath.FAST ? Optional.of(d.device().toString()) : Optional.empty();
    }

    @Override
    public void close() {
        before.ifPresent(Kernels::use);
        kernels.ifPresent(DeviceKernels::close);
    }
}
