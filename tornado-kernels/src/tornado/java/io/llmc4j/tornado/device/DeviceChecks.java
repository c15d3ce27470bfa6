package io.llmc4j.tornado.device;

import io.llmc4j.engine.device.Device;
import io.llmc4j.engine.kernel.SelfTest;
import io.llmc4j.tornado.DeviceFailure;
import java.util.ArrayList;
import java.util.List;
import uk.ac.manchester.tornado.api.common.TornadoDevice;

/** Every kernel on a device against the engine's scalar definitions, each launch twice: a fault of state shows in the second. */
final class DeviceChecks {

    private static final int TIMES = 2;

    private final TornadoDevice device;
    private final Device description;

    DeviceChecks(TornadoDevice device, Device description) {
        this.device = device;
        this.description = description;
    }

    static List<KernelCheck> checks(Device d, Values values, int[][] productShapes) {
        List<KernelCheck> out = new ArrayList<>();
        for (Variant v : Variant.values()) {
            if (v.fits(d)) {
                out.add(new ProductChecks(d, values, productShapes).of(v));
            }
        }
        out.add(new ProductChecks(d, values, productShapes).batches(false));
        if (Variant.TILED.fits(d)) {
            out.add(new ProductChecks(d, values, productShapes).batches(true));
        }
        out.addAll(new QuantizeChecks(d, values).all());
        out.addAll(new RowChecks(d, values).all());
        return out;
    }

    List<SelfTest.Result> all() {
        return checks(description, new Values(1, false), ProductChecks.SHAPES).stream().map(this::run).toList();
    }

    SelfTest.Result run(KernelCheck check) {
        long cases = 0;
        try (Program p = new Program(device, check.device())) {
            for (KernelCheck.Trial t : check.trials()) {
                for (int i = 0; i < TIMES; i++) {
                    t.prepare().run();
                    p.run(t.grid(), t.sizes());
                    cases++;
                    String fault = t.difference().get();
                    if (!fault.isEmpty()) {
                        return new SelfTest.Result(check.what(), cases, t.label() + (i == 0 ? ": " : ", when it ran again: ") + fault);
                    }
                }
            }
        } catch (DeviceFailure e) {
            return new SelfTest.Result(check.what(), cases, e.kind().words() + " (" + e.getMessage() + ")");
        }
        return new SelfTest.Result(check.what(), cases, "");
    }
}
