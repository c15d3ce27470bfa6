package io.llmc4j.tornado.device;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.llmc4j.engine.device.Device;
import io.llmc4j.engine.device.DeviceKernels;
import io.llmc4j.engine.device.DeviceList;
import io.llmc4j.engine.device.DeviceMath;
import io.llmc4j.engine.device.DeviceProvider;
import io.llmc4j.engine.device.DeviceTiming;
import io.llmc4j.engine.kernel.ScalarKernels;
import io.llmc4j.engine.kernel.SelfTest;
import io.llmc4j.tornado.DeviceFailure;
import io.llmc4j.tornado.Form;
import io.llmc4j.tornado.Grid;
import io.llmc4j.tornado.Panel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.common.TornadoDevice;
import uk.ac.manchester.tornado.api.enums.DataTransferMode;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** Every kernel on the first device, against the scalar definitions, twice in this process. */
class DeviceKernelsTest {

    private static Device device;

    @BeforeAll
    static void needsADevice() {
        DeviceProvider provider = DeviceProvider.find().orElseThrow();
        DeviceList list = provider.list(DeviceMath.STRICT);
        if (list.missing().isPresent()) {
            assertFalse(Boolean.getBoolean("tornado.required"), "tornado.required, and there is no device: " + list.missing());
            assumeTrue(false, list.missing().get());
        }
        device = list.devices().getFirst();
    }

    private static TornadoDevice tornado() {
        return TornadoFactory.device(device.index());
    }

    @Test
    void nothingFallsBackToJavaInSilence() {
        assertEquals("False", System.getProperty("tornado.recover.bailout"));
        assertFalse(Boolean.parseBoolean(System.getProperty("tornado.enable.fastMathOptimizations")));
    }

    @TestFactory
    Stream<DynamicTest> everyKernelGivesTheBitsOfItsDefinition() {
        DeviceChecks checks = new DeviceChecks(tornado(), device);
        return DeviceChecks.checks(device, new Values(1, false), ProductChecks.SHAPES).stream().map(c -> DynamicTest.dynamicTest(c.what(), () -> {
            SelfTest.Result r = checks.run(c);
            assertEquals("", r.fault());
            assertEquals(2L * c.trials().size(), r.cases());
        }));
    }

    /** As a run uses it: found by ServiceLoader, strided panels, more than one panel, everything sent. */
    @Test
    void theKernelsOfARun() {
        String before = System.getProperty("llmc4j.device.least");
        System.setProperty("llmc4j.device.least", "0");
        List<String> notices = new ArrayList<>();
        try (DeviceKernels k = DeviceProvider.find().orElseThrow().open(device, DeviceMath.STRICT, new ScalarKernels(), notices::add)) {
            ScalarKernels scalar = new ScalarKernels();
            Values v = new Values(5, false);
            int ld = 801;
            float[] a = v.floats(100 * ld);
            float[] b = v.floats(90 * ld);
            float[] want = v.floats(100 * 95);
            float[] got = want.clone();
            for (int m : new int[] {100, 64, 33}) {
                scalar.gemmNT(m, 90, 800, a, 1, ld, b, 0, ld, want, 3, 95, true);
                k.gemmNT(m, 90, 800, a, 1, ld, b, 0, ld, got, 3, 95, true);
                assertArrayEquals(want, got);
            }
            float[] h = v.floats(90 * 90);
            float[] g = h.clone();
            for (int batch = 0; batch < 3; batch++) {
                scalar.syrk(70, 90, b, batch * 7, ld, h, 90);
                k.syrk(70, 90, b, batch * 7, ld, g, 90);
            }
            assertArrayEquals(h, g);
            assertEquals(List.of(), notices);
            assertTrue(k.account().getFirst().contains(": 6 products"), k.account().toString());
        } finally {
            if (before == null) {
                System.clearProperty("llmc4j.device.least");
            } else {
                System.setProperty("llmc4j.device.least", before);
            }
        }
    }

    /** One program does for all shapes that fit its buffers. */
    @Test
    void programsAreKept() throws DeviceFailure {
        try (Products p = new Products(tornado(), device, 1L << 30)) {
            for (int n = 33; n < 63; n++) {
                Panel x = new Panel(new float[n * n], 0, n, n, n);
                p.product(Variant.PLAIN, Form.NT, x, x, new Panel(new float[n * n], 0, n, n, n), false);
            }
            assertEquals(1, p.programs());
        }
        try (Products p = new Products(tornado(), device, 4L * 3 * (1 << 12))) {
            Panel small = new Panel(new float[64], 0, 8, 8, 8);
            p.product(Variant.PLAIN, Form.NT, small, small, new Panel(new float[64], 0, 8, 8, 8), false);
            p.product(Variant.PLAIN, Form.NT, small, small, new Panel(new float[64], 0, 8, 8, 8), true);
            assertEquals(1, p.programs(), "the older one had to go: together they hold too much");
        }
    }

    /** The driver refuses items that do not fill their groups, and TornadoVM says nothing of it: only the missing ticket tells. */
    @Test
    void aLaunchThatTheDriverRefusedIsSeen() throws DeviceFailure {
        assertThrows(IllegalArgumentException.class, () -> new Grid(65, 1, 64, 1));
        assertThrows(IllegalArgumentException.class, () -> Grid.line(1, 2 * device.maxGroup(), 0, device));
        FloatArray x = new FloatArray(64);
        FloatArray factor = new FloatArray(1);
        KernelContext context = new KernelContext();
        try (Program p = new Program(tornado(), (g, q) -> g.transferToDevice(DataTransferMode.EVERY_EXECUTION, factor, x)
                .task("t", ProductKernels::shrinkAll, context, q.sizes, factor, x, q.done).transferToHost(DataTransferMode.EVERY_EXECUTION, x))) {
            p.run(new Grid(64, 1, 64, 1), 64);
            DeviceFailure e = assertThrows(DeviceFailure.class, () -> p.launch(65, 1, 64, 1, 64));
            assertEquals(DeviceFailure.Kind.LAUNCH, e.kind());
        }
    }

    /** Not a kernel: strings are nothing that TornadoVM compiles. */
    public static void notAKernel(KernelContext context, IntArray sizes, IntArray done) {
        int i = context.globalIdx;
        done.set(0, sizes.get(0) + String.valueOf(i).length());
    }

    @Test
    void aKernelThatDoesNotBuildIsAFailureAndNeverJava() {
        KernelContext context = new KernelContext();
        DeviceFailure e = assertThrows(DeviceFailure.class, () -> {
            try (Program p = new Program(tornado(), (g, q) -> g.task("t", DeviceKernelsTest::notAKernel, context, q.sizes, q.done))) {
                p.run(new Grid(1, 1, 1, 1));
            }
        });
        assertEquals(DeviceFailure.Kind.BUILD, e.kind());
    }

    @Test
    void outOfMemoryIsTold() throws Exception {
        Process p = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin/java").toString(), "@" + System.getenv("TORNADOVM_HOME") + "/tornado-argfile",
                "--add-modules", "jdk.incubator.vector", "-cp", System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                LittleMemory.class.getName()).redirectErrorStream(true).start();
        String out = new String(p.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, p.waitFor(), out);
        assertTrue(out.contains("OUTCOME OUT_OF_MEMORY and nothing written, right"), out);
    }

    @Test
    void shrinking() throws DeviceFailure {
        FloatArray x = new FloatArray(1000);
        FloatArray factor = new FloatArray(1);
        KernelContext context = new KernelContext();
        float[] v = new Values(3, false).floats(1000);
        float[] want = v.clone();
        new ScalarKernels().scale(1000, 0.75f, want, 0);
        try (Program p = new Program(tornado(), (g, q) -> g.transferToDevice(DataTransferMode.EVERY_EXECUTION, factor, x)
                .task("t", ProductKernels::shrinkAll, context, q.sizes, factor, x, q.done).transferToHost(DataTransferMode.EVERY_EXECUTION, x))) {
            for (int i = 0; i < 2; i++) {
                Values.put(v, x);
                factor.set(0, 0.75f);
                p.run(Grid.line(1000, Grid.group(64, device), 0, device), 1000);
                assertEquals("", Values.difference("value", want, x));
            }
        }
    }

    @Test
    void timesAreOfThreeKinds() {
        for (DeviceTiming t : DeviceProvider.find().orElseThrow().time(device, DeviceMath.STRICT, List.of(64))) {
            assertTrue(t.wholeSeconds() > 0 && t.kernelSeconds() > 0 && t.transferSeconds() > 0 && t.kernelSeconds() < t.wholeSeconds(), t.toString());
        }
    }
}
