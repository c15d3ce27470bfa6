package io.llmc4j.tornado;

import io.llmc4j.engine.device.Device;
import io.llmc4j.engine.device.DeviceMath;
import io.llmc4j.engine.device.DeviceTiming;
import io.llmc4j.engine.kernel.SelfTest;
import java.util.List;

/** A device that is open. Called by one thread at a time. A call either writes its whole result or throws and writes nothing. */
public interface Accelerator extends AutoCloseable {

    /** Opens devices; the part of this module that knows TornadoVM has one, found by ServiceLoader. */
    interface Factory {

        /** All devices of all backends; none when there is none. Throws LinkageError when the runtime is not whole. */
        List<Device> devices();

        Accelerator open(Device device, DeviceMath math);
    }

    Device device();

    /** C = the product, or C += it. */
    void product(Form form, Panel a, Panel b, Panel c, boolean accumulate) throws DeviceFailure;

    /** H += XᵀX for X [rows, n]; both triangles of H are written and equal. */
    void gram(Panel x, Panel h) throws DeviceFailure;

    /**
     * For each batch of rows H *= its factor, then H += XᵀX of it; H stays on the device between batches.
     *
     * @param x of all batches, equally many rows each
     */
    void gramBatches(Panel x, float[] shrink, Panel h) throws DeviceFailure;

    /** What the report should say beside what was computed where; nothing as a rule. */
    default List<String> remarks() {
        return List.of();
    }

    /** Every kernel against its scalar definition. */
    List<SelfTest.Result> selfTest(double seconds);

    /** Products of square matrices, timed apart from their transfers. */
    List<DeviceTiming> time(List<Integer> sizes);

    @Override
    void close();
}
