package io.llmc4j.safety;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Writes that fail in the middle, as on a disk that fills up: processes under the shell's limit of a file's size, which needs no other rights than one's own
 * and lets a write fail wherever it stands. Only Linux's Java is known to report that limit as an error.
 */
@EnabledOnOs(OS.LINUX)
class DiskFullTest {

    /** POSIX: the unit of {@code ulimit -f}. */
    private static final long UNIT = 512;

    @TempDir
    Path dir;

    private record Ran(int code, String err) { }

    /** @param limit bytes that a file may have; 0: any number */
    private Ran run(long limit, List<String> mainAndArguments) throws IOException, InterruptedException {
        List<String> line = new ArrayList<>();
        if (limit > 0) {
            line.addAll(List.of("sh", "-c", "ulimit -f " + limit / UNIT + " && exec \"$@\"", "sh"));
        }
        line.addAll(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx256m", "-XX:-UsePerfData", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
                "-Dllmc4j.kernels=scalar", "-Dllmc4j.journal.share=1", "--enable-native-access=ALL-UNNAMED", "--add-modules", "jdk.incubator.vector", "-cp", KillTest.classPath()));
        line.addAll(mainAndArguments);
        Path errors = dir.resolve("errors.txt");
        Process p = new ProcessBuilder(line).redirectError(errors.toFile()).redirectOutput(ProcessBuilder.Redirect.DISCARD).start();
        int code = p.waitFor();
        return new Ran(code, Files.readString(errors, StandardCharsets.UTF_8));
    }

    /** The command line: one sentence, code 1, and the same bytes once there is room again. */
    @ParameterizedTest
    @ValueSource(strings = {"vllm", "gguf:q8_0"})
    void oneClearErrorAndNothingLost(String format) throws Exception {
        Path model = DeepModel.make(dir, 4);
        Path whole = dir.resolve("whole");
        assertEquals(0, run(0, command(model, whole, format)).code());
        Map<String, String> expected = KilledRun.files(whole);
        long largest = 0;
        for (String name : expected.keySet()) {
            largest = Math.max(largest, Files.size(whole.resolve(name)));
        }
        Path out = dir.resolve("out");
        Ran full = run(largest * 2 / 3, command(model, out, format));
        assertEquals(1, full.code(), full.err());
        assertTrue(full.err().contains("blocks are kept; when what follows is mended, the same command with --resume goes on from there"), full.err());
        assertTrue(full.err().matches("(?s).*out\\.partial/\\S+: cannot be written: File too large \\(its disk has \\d+ bytes free\\); free space.*"), full.err());
        assertTrue(!full.err().contains("\tat "), full.err());
        assertTrue(Files.notExists(out));
        List<String> again = new ArrayList<>(command(model, out, format));
        again.add("--resume");
        Ran rest = run(0, again);
        assertEquals(0, rest.code(), rest.err());
        Map<String, String> got = KilledRun.files(out);
        expected.remove("report.json");
        got.remove("report.json");
        assertEquals(expected, got);
    }

    private static List<String> command(Path model, Path out, String format) {
        return List.of("io.llmc4j.cli.Main", "quantize", model.toString(), "-m", "rtn", "-b", "8", "-g", "32", "--no-eval", "-e", format, "-o", out.toString());
    }

    /** Limits just below the size of every kind of file that a run writes: states beyond the memory, the journal, shards, configurations. */
    @Test
    void whereverAWriteFails() throws Exception {
        Path model = DeepModel.make(dir, 3);
        Path whole = dir.resolve("whole");
        assertEquals(0, run(0, killed(model, whole, "begin")).code());
        Map<String, String> expected = KilledRun.files(whole);
        TreeSet<Long> sizes = new TreeSet<>();
        for (String name : expected.keySet()) {
            sizes.add(Files.size(whole.resolve(name)));
        }
        List<Long> limits = List.of(sizes.last() - UNIT, sizes.last() / 3, 150_000L, 25_000L);
        int failed = 0;
        for (long limit : limits) {
            Path out = dir.resolve("limit" + limit);
            Ran full = run(limit, killed(model, out, "begin"));
            failed += full.code() == 0 ? 0 : 1;
            assertTrue(!full.err().contains("lock: "), full.err());
            assertTrue(full.code() == 0 || full.err().contains("io.llmc4j.engine.BadInput: ") && full.err().contains("File too large"), limit + ": " + full.err());
            for (String target : List.of("vllm", "gguf-q8_0")) {
                assertTrue(Files.notExists(out.resolve(target)) || KilledRun.files(out.resolve(target)).size() == KilledRun.files(whole.resolve(target)).size(), target + " at " + limit);
            }
            Ran rest = run(0, killed(model, out, "resume"));
            assertEquals(0, rest.code(), limit + ": " + rest.err());
            assertEquals(expected, KilledRun.files(out), "limit " + limit);
        }
        assertTrue(failed >= 3, failed + " of the limits were felt");
    }

    private static List<String> killed(Path model, Path out, String how) {
        return List.of(KilledRun.class.getName(), model.toString(), out.toString(), "SmoothQuant", how);
    }
}
