package io.llmc4j.tornado;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.device.Device;
import io.llmc4j.engine.device.DeviceChoice;
import io.llmc4j.engine.device.DeviceList;
import io.llmc4j.engine.device.DeviceMath;
import io.llmc4j.engine.device.DeviceProvider;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** One sentence for each way in which TornadoVM can be missing, and one choice for each value of --device. */
class TornadoSetupTest {

    @TempDir
    Path dir;

    private String why(TornadoSetup s) {
        return s.missing().orElseThrow();
    }

    private TornadoSetup setup(Path home, boolean argumentFile, boolean compact, boolean bindings) {
        return new TornadoSetup(Optional.of(home.toString()), argumentFile, 25, compact, bindings);
    }

    private Path sdk(String api) throws IOException {
        Path jars = Files.createDirectories(dir.resolve("sdk/share/java/tornado"));
        Files.writeString(jars.resolve(api), "");
        return dir.resolve("sdk");
    }

    @Test
    void notInstalled() {
        assertEquals("TornadoVM is not installed, or TORNADOVM_HOME is not set: install TornadoVM's SDK for JDK 25 (README, \"On a GPU\") and set TORNADOVM_HOME to its "
                + "directory", why(new TornadoSetup(Optional.empty(), false, 25, false, false)));
    }

    @Test
    void wrongDirectory() {
        assertTrue(why(setup(dir, true, false, true)).startsWith("TORNADOVM_HOME is " + dir + ", which holds no share/java/tornado/tornado-api-*.jar"));
        assertTrue(why(setup(dir.resolve("nothing"), true, false, true)).contains("holds no share/java"));
    }

    @Test
    void wrongJdk() throws IOException {
        assertEquals("the TornadoVM SDK at " + dir.resolve("sdk") + " is for JDK 21, and this is Java 25: install the SDK for JDK 25",
                why(setup(sdk("tornado-api-5.2.0-jdk21.jar"), true, false, true)));
    }

    @Test
    void noArgumentFile() throws IOException {
        Path sdk = sdk("tornado-api-5.2.0-jdk25.jar");
        assertTrue(why(setup(sdk, false, false, true)).contains("add @" + sdk + "/tornado-argfile to the java command"));
    }

    @Test
    void compactHeadersAndNoKernels() throws IOException {
        Path sdk = sdk("tornado-api-5.2.0-jdk25.jar");
        assertTrue(why(setup(sdk, true, true, true)).contains("remove -XX:+UseCompactObjectHeaders"));
        assertTrue(why(setup(sdk, true, false, false)).startsWith("this llmc4j was built without TornadoVM"));
        assertEquals(Optional.empty(), setup(sdk, true, false, true).missing());
    }

    @Test
    void aRuntimeThatDoesNotComeUp() {
        assertTrue(TornadoSetup.failed(new ExceptionInInitializerError(new UnsatisfiedLinkError("no tornado-opencl in java.library.path")))
                .startsWith("a native library of TornadoVM cannot be loaded (UnsatisfiedLinkError: no tornado-opencl in java.library.path)"));
        assertTrue(TornadoSetup.failed(new ExceptionInInitializerError(new RuntimeException(new ClassNotFoundException("uk.ac.TornadoCoreRuntime"))))
                .startsWith("TornadoVM's API is here without its runtime (ClassNotFoundException: uk.ac.TornadoCoreRuntime)"));
        // As TornadoVM 5.2.0 says it without a driver, and without its lib directory.
        assertEquals(TornadoSetup.noDevice(), TornadoSetup.failed(new RuntimeException("\u001b[31m[WARNING] No OpenCL platforms found. Deoptimizing to sequential execution."
                + "\u001b[0m")));
        assertTrue(TornadoSetup.failed(new RuntimeException("[ERROR] OpenCL JNI Library not found")).startsWith("a native library of TornadoVM cannot be loaded"));
        assertTrue(TornadoSetup.failed(new NoClassDefFoundError("Could not initialize class X")).startsWith("TornadoVM did not start (NoClassDefFoundError"));
    }

    private static DeviceList list(DeviceList none, String... kinds) {
        List<Device> devices = new java.util.ArrayList<>();
        for (String kind : kinds) {
            devices.add(new Device(devices.size(), "OpenCL", kind + " device", kind, 1L << 30, 1 << 15, 256));
        }
        return devices.isEmpty() ? none : new DeviceList(devices, Optional.empty());
    }

    /** Through the provider: what the factory throws or lacks becomes a reason. */
    @Test
    void theProviderNeverThrows() throws IOException {
        TornadoSetup whole = setup(sdk("tornado-api-5.2.0-jdk25.jar"), true, false, true);
        assertTrue(provider(() -> {
            throw new ExceptionInInitializerError(new UnsatisfiedLinkError("libOpenCL.so.1"));
        }).list(DeviceMath.STRICT, whole).missing().orElseThrow().contains("libOpenCL.so.1"));
        assertTrue(provider(List::of).list(DeviceMath.STRICT, whole).missing().orElseThrow().startsWith("TornadoVM runs, but none of its backends finds a device"));
        BadInput other = assertThrows(BadInput.class, () -> provider(List::of).list(DeviceMath.FAST, whole));
        assertTrue(other.getMessage().contains("has begun with strict mathematics"), other.getMessage());
        assertEquals("False", System.getProperty("tornado.recover.bailout"), "a kernel that does not build must not run as Java in silence");
    }

    private static TornadoProvider provider(java.util.function.Supplier<List<Device>> devices) {
        return new TornadoProvider(Optional.of(new Accelerator.Factory() {
            @Override
            public List<Device> devices() {
                return devices.get();
            }

            @Override
            public Accelerator open(Device device, DeviceMath math) {
                return FakeAccelerator.sound();
            }
        }));
    }

    @Test
    void choices() {
        DeviceList none = DeviceList.none("reasons");
        DeviceList mixed = list(none, "CPU", "GPU", "GPU");
        assertEquals(Optional.empty(), DeviceChoice.parse("cpu").in(mixed));
        assertEquals(1, DeviceChoice.parse("gpu").in(mixed).orElseThrow().index());
        assertEquals(1, DeviceChoice.parse("auto").in(mixed).orElseThrow().index());
        assertEquals(2, DeviceChoice.parse("gpu:2").in(mixed).orElseThrow().index());
        assertEquals(0, DeviceChoice.parse("gpu").in(list(none, "CPU")).orElseThrow().index());
        assertEquals(Optional.empty(), DeviceChoice.parse("auto").in(list(none, "CPU")));
        assertEquals(Optional.empty(), DeviceChoice.parse("auto").in(none));
        for (String asked : List.of("gpu", "gpu:0")) {
            BadInput e = assertThrows(BadInput.class, () -> DeviceChoice.parse(asked).in(none));
            assertEquals("--device " + asked + ", but there is no device here: reasons", e.getMessage());
        }
        assertTrue(assertThrows(BadInput.class, () -> DeviceChoice.parse("gpu:7").in(mixed)).getMessage().contains("gpu:2 (OpenCL, GPU device)"));
        for (String wrong : List.of("", "tpu", "gpu:", "gpu:x", "gpu:-1", "GPU", "gpu:99999")) {
            assertThrows(BadInput.class, () -> DeviceChoice.parse(wrong), wrong);
        }
        assertThrows(BadInput.class, () -> DeviceChoice.parseMath("relaxed"));
    }

    @Test
    void theEngineFindsIt() {
        DeviceProvider p = DeviceProvider.find().orElseThrow();
        assertEquals("TornadoVM", p.name());
        assertInstanceOf(TornadoProvider.class, p);
    }
}
