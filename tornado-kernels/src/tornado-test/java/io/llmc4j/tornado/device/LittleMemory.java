package io.llmc4j.tornado.device;

import io.llmc4j.engine.device.Device;
import io.llmc4j.engine.device.DeviceMath;
import io.llmc4j.engine.kernel.ScalarKernels;
import io.llmc4j.tornado.Accelerator;
import io.llmc4j.tornado.DeviceFailure;
import io.llmc4j.tornado.Form;
import io.llmc4j.tornado.Panel;
import java.util.Arrays;
import java.util.List;

/** A process in which TornadoVM may take 4 MB: a call that needs more fails as out of memory and writes nothing, and the next one works. Prints what came of it. */
final class LittleMemory {

    private LittleMemory() {
    }

    public static void main(String[] args) {
        System.setProperty("tornado.device.memory", "4MB");
        System.setProperty("tornado.recover.bailout", "False");
        System.setProperty("tornado.opencl.compiler.flags", "-w");
        List<Device> devices = new TornadoFactory().devices();
        String first;
        String second;
        try (Accelerator a = new TornadoAccelerator(devices.getFirst(), DeviceMath.STRICT)) {
            first = outcome(a, 700);
            second = outcome(a, 70);
        }
        System.out.println("OUTCOME " + first + ", " + second);
        System.exit(0);
    }

    private static String outcome(Accelerator a, int n) {
        float[] x = new Values(n, false).floats(n * n);
        float[] before = new float[n * n];
        Arrays.fill(before, 7f);
        float[] c = before.clone();
        try {
            a.product(Form.NN, new Panel(x, 0, n, n, n), new Panel(x, 0, n, n, n), new Panel(c, 0, n, n, n), false);
        } catch (DeviceFailure e) {
            return e.kind() + (Arrays.equals(before, c) ? " and nothing written" : " and something written");
        }
        float[] want = new float[n * n];
        new ScalarKernels().gemmNN(n, n, n, x, 0, n, x, 0, n, want, 0, n, false);
        return Arrays.equals(want, c) ? "right" : "wrong";
    }
}
