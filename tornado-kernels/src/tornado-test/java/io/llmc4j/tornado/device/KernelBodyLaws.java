package io.llmc4j.tornado.device;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.llmc4j.engine.device.Device;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

/**
 * A kernel is plain Java: run as such, item by item, it gives the engine's scalar definition. Where the definition fuses a multiply-add, factors are such that
 * their products are exact, so that the two roundings of Java are the one of the definition; only where sums feed products (norm, softmax, attention,
 * clip errors) a few units in the last place are left.
 */
class KernelBodyLaws {

    private static final Device DEVICE = new Device(0, "Java", "Java", "GPU", 1L << 32, 1 << 16, 256);
    private static final int[][] SHAPES = {{17, 20, 33}, {5, 66, 385}, {65, 3, 17}, {1, 1, 1}};
    private static final List<String> NAMES = DeviceChecks.checks(DEVICE, new Values(0, true), SHAPES).stream().map(KernelCheck::what).toList();

    @Provide
    Arbitrary<String> kernels() {
        return Arbitraries.of(NAMES);
    }

    @Property(tries = 45)
    void theJavaBodyIsTheDefinition(@ForAll("kernels") String name, @ForAll long seed) {
        hold(name, seed);
    }

    /** Each kernel at least once, whatever the draw. */
    @org.junit.jupiter.api.Test
    void everyKernel() {
        NAMES.forEach(n -> hold(n, 7));
    }

    private static void hold(String name, long seed) {
        KernelCheck check = DeviceChecks.checks(DEVICE, new Values(seed, true), SHAPES).stream().filter(c -> c.what().equals(name)).findFirst().orElseThrow();
        for (KernelCheck.Trial t : check.trials()) {
            t.prepare().run();
            JavaContext.run(check, t);
            assertEquals("", t.difference().get(), name + ", " + t.label() + ", seed " + seed);
        }
    }
}
