package io.llmc4j.engine.device;

import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.SelfTest;
import java.util.List;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.function.Consumer;

/** Finds devices and opens them. Implementations load where their runtime is missing, and then say so. */
public interface DeviceProvider {

    /** The provider of this installation. */
    static Optional<DeviceProvider> find() {
        return ServiceLoader.load(DeviceProvider.class).findFirst();
    }

    /** Of the runtime beneath, "TornadoVM". */
    String name();

    /**
     * Devices under the mathematics that this process has from its first touch of the runtime on.
     *
     * @throws io.llmc4j.engine.BadInput when the process has already begun with the other mathematics
     */
    DeviceList list(DeviceMath math);

    /**
     * Opens a device of {@link #list}.
     *
     * @param cpu    computes what the device does not
     * @param notice told once of each thing that goes wrong
     */
    DeviceKernels open(Device device, DeviceMath math, Kernels cpu, Consumer<String> notice);

    /** Holds every kernel of the device to the scalar definitions, in strict mathematics. */
    List<SelfTest.Result> selfTest(Device device, double seconds);

    /** Times products on the device, apart from the transfers: {@code sizes} are those of square matrices. */
    List<DeviceTiming> time(Device device, DeviceMath math, List<Integer> sizes);
}
