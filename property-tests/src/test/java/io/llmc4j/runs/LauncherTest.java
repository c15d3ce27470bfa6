package io.llmc4j.runs;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The launcher as a user starts it. Needs the packaged jar, which {@code mvn verify} has made before tests run. */
class LauncherTest {

    private static final Path ROOT = Path.of(System.getProperty("llmc4j.root"));
    private static final Path LAUNCHER = ROOT.resolve("llmc4j");

    @TempDir
    Path dir;

    private record Ran(int code, String out, String err) { }

    @BeforeAll
    static void packaged() {
        assumeTrue(Files.exists(ROOT.resolve("cli/target/llmc4j.jar")), "the jar is not packaged");
    }

    private Ran run(Path directory, Map<String, String> environment, String... command) throws IOException, InterruptedException {
        Path out = Files.createTempFile(dir, "out", "");
        Path err = Files.createTempFile(dir, "err", "");
        ProcessBuilder b = new ProcessBuilder(command).directory(directory.toFile()).redirectOutput(out.toFile()).redirectError(err.toFile());
        b.environment().put("LLMC4J_NO_BUILD", "1");
        b.environment().remove("LLMC4J_JAVA_OPTS");
        b.environment().putAll(environment);
        Process p = b.start();
        assertTrue(p.waitFor(120, TimeUnit.SECONDS), "it hangs");
        return new Ran(p.exitValue(), Files.readString(out), Files.readString(err));
    }

    @Test
    void fromAnotherDirectoryAndThroughSymlinks() throws Exception {
        Path link = Files.createSymbolicLink(dir.resolve("one"), LAUNCHER);
        Path second = Files.createSymbolicLink(dir.resolve("two"), Path.of("one"));
        for (Path command : List.of(LAUNCHER, link, second)) {
            Ran r = run(dir, Map.of(), command.toString(), "--version");
            assertEquals(new Ran(0, "llmc4j 0.1.0\n", ""), r, command.toString());
        }
    }

    @Test
    void exitCodesAndStreamsPassThrough() throws Exception {
        Ran r = run(dir, Map.of(), LAUNCHER.toString(), "inspect", "no such thing");
        assertEquals(2, r.code());
        assertEquals("no such thing: there is no such file or directory\n", r.err());
        assertEquals("", r.out());
    }

    @Test
    void anOldJavaIsNotUsed() throws Exception {
        Path old = Files.createDirectories(dir.resolve("jdk-21/bin")).getParent();
        Files.writeString(old.resolve("release"), "JAVA_VERSION=\"21.0.5\"\n");
        for (String tool : List.of("java", "javac")) {
            Path p = Files.writeString(old.resolve("bin/" + tool), "#!/bin/sh\necho old >&2\nexit 9\n");
            assertTrue(p.toFile().setExecutable(true));
        }
        // A system-wide JDK 25 may be found: then it is used instead.
        Ran r = run(dir, Map.of("JAVA_HOME", old.toString()), LAUNCHER.toString(), "--version");
        assertTrue(r.code() == 0 || r.code() == 2 && r.err().contains("needs a JDK of version 25.0.3 or later, and found only these:") && r.err().contains("21.0.5"),
                r.toString());
    }

    /** --device and devices give Java the argument file of TORNADOVM_HOME, expanded from its template where a package has only that; nothing else does. */
    @Test
    void theArgumentFileOfAnSdk() throws Exception {
        Path sdk = Files.createDirectories(dir.resolve("sdk"));
        Files.createDirectories(sdk.resolve("share/java/tornado"));
        Files.writeString(sdk.resolve("share/java/tornado/tornado-api-5.2.0-jdk21.jar"), "");
        Files.writeString(sdk.resolve("tornado-argfile.template"), "-XX:+UseParallelGC\n-Dtornado.load.runtime.implementation=${TORNADOVM_HOME}\n");
        Map<String, String> set = Map.of("TORNADOVM_HOME", sdk.toString());
        Ran wrong = run(dir, set, LAUNCHER.toString(), "devices");
        assertEquals(0, wrong.code(), wrong.err());
        assertTrue(wrong.out().replaceAll("\\s+", " ").contains("the TornadoVM SDK at " + sdk + " is for JDK 21, and this is Java"), wrong.out());

        Files.move(sdk.resolve("share/java/tornado/tornado-api-5.2.0-jdk21.jar"), sdk.resolve("share/java/tornado/tornado-api-5.2.0-jdk"
                + Runtime.version().feature() + ".jar"));
        Files.writeString(sdk.resolve("tornado-argfile"), "-XX:+UseParallelGC\n-Dtornado.load.runtime.implementation=here -XX:+UseCompactObjectHeaders\n");
        Ran given = run(dir, set, LAUNCHER.toString(), "eval", ROOT.resolve("cli/samples/tiny-llama-en").toString(), "--device", "gpu:1");
        assertEquals(2, given.code());
        assertTrue(given.err().startsWith("--device gpu:1, but there is no device here: this Java runs with compact object headers"), given.err());
        Ran notAsked = run(dir, set, LAUNCHER.toString(), "eval", ROOT.resolve("cli/samples/tiny-llama-en").toString(), "--device=cpu", "--data", "no such file");
        assertEquals(2, notAsked.code());
        Files.delete(sdk.resolve("tornado-argfile"));
        Files.delete(sdk.resolve("tornado-argfile.template"));
        Ran without = run(dir, set, LAUNCHER.toString(), "eval", ROOT.resolve("cli/samples/tiny-llama-en").toString(), "--device=gpu");
        assertEquals(2, without.code());
        assertTrue(without.err().contains("this Java was started without the SDK's argument file"), without.err());
    }

    /** Law 1 of the house, from the outside: the same files for any number of threads, any vector width, and the kernels of the definition. */
    @Test
    void theSameBytesEverywhere() throws Exception {
        Path model = SampleBlocks.write(dir.resolve("model"), 1);
        Map<String, String> first = Map.of();
        for (List<String> way : List.of(List.of("--threads=1", ""), List.of("--threads=2", "-Dllmc4j.vector.bits=128"),
                List.of("--threads=2", "-Dllmc4j.kernels=scalar"))) {
            Path out = dir.resolve("o" + way.hashCode());
            Ran r = run(dir, Map.of("LLMC4J_JAVA_OPTS", way.get(1)), LAUNCHER.toString(), "quantize", model.toString(), "--method",
                    "awq", "--samples", "1", "--seq-len", "16", "--no-eval", "--out", out.toString(), way.get(0));
            assertEquals(0, r.code(), r.toString());
            Map<String, String> files = new TreeMap<>();
            new ObjectMapper().readTree(out.resolve("report.json").toFile()).get("files").forEach(f -> files.put(f.get("name").asText(), f.get("sha256").asText()));
            assertTrue(files.containsKey("model.safetensors"), files.toString());
            first = first.isEmpty() ? files : first;
            assertEquals(first, files, way.toString());
        }
    }
}
