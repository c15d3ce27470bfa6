package io.llmc4j.engine.device;

import io.llmc4j.engine.kernel.Kernels;
import java.util.List;

/** Kernels of which some calls go to a device. What the device cannot or may not compute, the CPU computes. */
public interface DeviceKernels extends Kernels, AutoCloseable {

    Device device();

    DeviceMath math();

    /** What was computed where, and what went wrong, one sentence each; for the report. */
    List<String> account();

    @Override
    void close();
}
