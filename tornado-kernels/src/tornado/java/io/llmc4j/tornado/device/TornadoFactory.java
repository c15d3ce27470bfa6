package io.llmc4j.tornado.device;

import io.llmc4j.engine.device.Device;
import io.llmc4j.engine.device.DeviceMath;
import io.llmc4j.tornado.Accelerator;
import java.util.ArrayList;
import java.util.List;
import uk.ac.manchester.tornado.api.TornadoBackend;
import uk.ac.manchester.tornado.api.TornadoRuntime;
import uk.ac.manchester.tornado.api.common.TornadoDevice;
import uk.ac.manchester.tornado.api.enums.TornadoDeviceType;
import uk.ac.manchester.tornado.api.enums.TornadoVMBackendType;
import uk.ac.manchester.tornado.api.runtime.TornadoRuntimeProvider;

/** Lists and opens TornadoVM's devices. TornadoVM is first touched by a call of a method. */
public final class TornadoFactory implements Accelerator.Factory {

    @Override
    public List<Device> devices() {
        List<Device> out = new ArrayList<>();
        TornadoRuntime runtime = TornadoRuntimeProvider.getTornadoRuntime();
        for (int b = 0; b < runtime.getNumBackends(); b++) {
            TornadoBackend backend = runtime.getBackend(b);
            for (int d = 0; d < backend.getNumDevices(); d++) {
                out.add(describe(out.size(), backend.getDevice(d)));
            }
        }
        return out;
    }

    private static Device describe(int index, TornadoDevice d) {
        long group = 1;
        for (long side : d.getDeviceMaxWorkgroupDimensions()) {
            group = Math.max(group, side);
        }
        return new Device(index, backend(d.getTornadoVMBackend()), name(d), kind(d.getDeviceType()), d.getMaxGlobalMemory(), d.getDeviceLocalMemorySize(),
                (int) Math.min(group, Integer.MAX_VALUE));
    }

    /** "opencl-0-0" says less than the driver's name, which some backends have in the device and some in the description. */
    private static String name(TornadoDevice d) {
        String physical = d.getPhysicalDevice() == null ? "" : String.valueOf(d.getPhysicalDevice().getDeviceName());
        String name = physical.isBlank() ? d.getDescription() : physical;
        String platform = d.getPlatformName();
        return platform == null || platform.isBlank() ? name.strip() : name.strip() + " on " + platform.strip();
    }

    private static String backend(TornadoVMBackendType type) {
        return switch (type) {
            case OPENCL -> "OpenCL";
            case PTX -> "PTX";
            case CUDA -> "CUDA";
            case SPIRV -> "SPIR-V";
            case METAL -> "Metal";
            default -> type.name();
        };
    }

    private static String kind(TornadoDeviceType type) {
        return switch (type) {
            case GPU, CPU, ACCELERATOR -> type.name();
            case DEFAULT -> "GPU";
            default -> type.name();
        };
    }

    static TornadoDevice device(int index) {
        TornadoRuntime runtime = TornadoRuntimeProvider.getTornadoRuntime();
        int at = index;
        for (int b = 0; b < runtime.getNumBackends(); b++) {
            TornadoBackend backend = runtime.getBackend(b);
            if (at < backend.getNumDevices()) {
                return backend.getDevice(at);
            }
            at -= backend.getNumDevices();
        }
        throw new IllegalArgumentException("there is no device " + index);
    }

    @Override
    public Accelerator open(Device device, DeviceMath math) {
        return new TornadoAccelerator(device, math);
    }
}
