package io.llmc4j.tornado;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.device.Device;
import io.llmc4j.engine.device.DeviceKernels;
import io.llmc4j.engine.device.DeviceList;
import io.llmc4j.engine.device.DeviceMath;
import io.llmc4j.engine.device.DeviceProvider;
import io.llmc4j.engine.device.DeviceTiming;
import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.SelfTest;
import java.util.List;
import java.util.Optional;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;
import java.util.function.Consumer;

/** TornadoVM as the engine sees it. Loads anywhere; touches TornadoVM only where all that it needs is there. */
public final class TornadoProvider implements DeviceProvider {

    private final Optional<Accelerator.Factory> factory;

    /** For ServiceLoader. */
    public TornadoProvider() {
        this(built());
    }

    TornadoProvider(Optional<Accelerator.Factory> factory) {
        this.factory = factory;
    }

    /** The part that knows TornadoVM is found by its name, which does not yet touch TornadoVM. */
    private static Optional<Accelerator.Factory> built() {
        try {
            return ServiceLoader.load(Accelerator.Factory.class, TornadoProvider.class.getClassLoader()).findFirst();
        } catch (ServiceConfigurationError | LinkageError e) {
            return Optional.empty();
        }
    }

    @Override
    public String name() {
        return "TornadoVM";
    }

    @Override
    public DeviceList list(DeviceMath math) {
        return list(math, TornadoSetup.ofThisProcess(factory.isPresent()));
    }

    DeviceList list(DeviceMath math, TornadoSetup setup) {
        Optional<String> missing = setup.missing();
        if (missing.isPresent()) {
            return DeviceList.none(missing.get());
        }
        TornadoFlags.apply(math);
        try {
            List<Device> devices = factory.orElseThrow().devices();
            return devices.isEmpty() ? DeviceList.none(TornadoSetup.noDevice()) : new DeviceList(devices, Optional.empty());
        } catch (LinkageError | RuntimeException e) {
            return DeviceList.none(TornadoSetup.failed(e));
        }
    }

    @Override
    public DeviceKernels open(Device device, DeviceMath math, Kernels cpu, Consumer<String> notice) {
        return new TornadoKernels(opened(device, math), math, cpu, Worth.ofThisProcess(), notice);
    }

    @Override
    public List<SelfTest.Result> selfTest(Device device, double seconds) {
        try (Accelerator a = opened(device, DeviceMath.STRICT)) {
            return a.selfTest(seconds);
        }
    }

    @Override
    public List<DeviceTiming> time(Device device, DeviceMath math, List<Integer> sizes) {
        try (Accelerator a = opened(device, math)) {
            return a.time(sizes);
        }
    }

    private Accelerator opened(Device device, DeviceMath math) {
        TornadoFlags.apply(math);
        try {
            return factory.orElseThrow(() -> BadInput.of(BadInput.Common.ENVIRONMENT, "%s cannot be opened: %s", device,
                    TornadoSetup.ofThisProcess(false).missing().orElse("this llmc4j was built without TornadoVM"))).open(device, math);
        } catch (LinkageError e) {
            throw BadInput.of(BadInput.Common.ENVIRONMENT, "%s cannot be opened: %s", device, TornadoSetup.failed(e));
        }
    }
}
