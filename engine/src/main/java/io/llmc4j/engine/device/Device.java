package io.llmc4j.engine.device;

/**
 * A device as its driver describes it.
 *
 * @param index        among all devices of the provider, from 0: the N of {@code gpu:N}
 * @param backend      "OpenCL", "PTX", "CUDA", "SPIR-V", "Metal"
 * @param name         the driver's name for it
 * @param kind         GPU, CPU, ACCELERATOR, in the driver's words
 * @param memoryBytes  of the whole device
 * @param localBytes   of the memory that a work group shares
 * @param maxGroup     work items of a work group, at most
 */
public record Device(int index, String backend, String name, String kind, long memoryBytes, long localBytes, int maxGroup) {

    /** Not a CPU that a driver presents as a device. */
    public boolean isGpu() {
        return !kind.equals("CPU");
    }

    @Override
    public String toString() {
        return "gpu:" + index + " (" + backend + ", " + name + (isGpu() ? "" : ", a CPU as a device") + ")";
    }
}
