package io.llmc4j.tornado;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.llmc4j.cli.Main;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** --device and --device-math on the command line. */
class DeviceCommandTest {

    private static final Path ROOT = Path.of(System.getProperty("llmc4j.root", ".."));
    private static final String MODEL = ROOT.resolve("cli/samples/tiny-llama-en").toString();

    @TempDir
    Path dir;

    private record Ran(int code, String out, String err) { }

    private static Ran run(String... args) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        int code = Main.run(new PrintWriter(out, true), new PrintWriter(err, true), args);
        return new Ran(code, out.toString(), err.toString());
    }

    private List<List<String>> commands(String... more) {
        List<List<String>> all = new ArrayList<>();
        all.add(new ArrayList<>(List.of("quantize", MODEL, "--method", "rtn", "--no-eval", "--out", dir.resolve("out").toString())));
        all.add(new ArrayList<>(List.of("run", "--config", ROOT.resolve("cli/src/main/resources/configs/rtn.yml").toString(), "--set", "model.path=" + MODEL,
                "--set", "save.save_path=" + dir.resolve("out"))));
        all.add(new ArrayList<>(List.of("eval", MODEL)));
        all.add(new ArrayList<>(List.of("bench", "--no-runs", "--only", "nothing")));
        all.forEach(c -> c.addAll(List.of(more)));
        return all;
    }

    @Test
    void badValuesAreRefusedByEveryCommand() {
        for (List<String> c : commands("--device", "tpu")) {
            Ran r = run(c.toArray(String[]::new));
            assertEquals(2, r.code(), c + r.err());
            assertTrue(r.err().startsWith("--device is 'tpu'; it can be cpu, gpu, gpu:N"), c + r.err());
        }
        for (List<String> c : commands("--device-math", "loose")) {
            Ran r = run(c.toArray(String[]::new));
            assertEquals(2, r.code(), c + r.err());
            assertTrue(r.err().startsWith("--device-math is 'loose'; it can be strict or fast"), c + r.err());
        }
        assertEquals(2, run("selftest", "--device", "gpu:first").code());
        assertFalse(Files.exists(dir.resolve("out")));
    }

    /** In a process that was not started with an SDK's argument file there is no device, whatever is installed. */
    @Test
    void aDeviceThatIsNotThereIsRefusedAndAutoGoesOn() {
        assumeTrue(System.getProperty(TornadoSetup.STARTED_WITH) == null);
        for (List<String> c : commands("--device", "gpu")) {
            Ran r = run(c.toArray(String[]::new));
            assertEquals(2, r.code(), c + r.err());
            assertTrue(r.err().startsWith("--device gpu, but there is no device here: "), c + r.err());
        }
        assertFalse(Files.exists(dir.resolve("out")));
        Ran auto = run("quantize", MODEL, "--method", "rtn", "--no-eval", "--device", "auto", "--out", dir.resolve("out").toString());
        assertEquals(0, auto.code(), auto.err());
        assertTrue(auto.err().contains("note: --device auto: the CPU, because "), auto.err());
        Ran devices = run("devices");
        assertEquals(0, devices.code());
        assertTrue(devices.out().startsWith("CPU  ") && devices.out().contains("measured peak") && devices.out().contains("no TornadoVM device: "), devices.out());
        assertTrue(run("devices", "--json").out().contains("\"missing\" : "));
    }
}
