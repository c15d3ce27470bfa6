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
        int code = start(limit, mainAndArguments).waitFor();
        return new Ran(code, Files.readString(dir.resolve("errors.txt"), StandardCharsets.UTF_8));
    }

    private Process start(long limit, List<String> mainAndArguments) throws IOException {
        List<String> line = new ArrayList<>();
        if (limit > 0) {
            line.addAll(List.of("sh", "-c", "ulimit -f " + limit / UNIT + " && exec \"$@\"", "sh"));
        }
        line.addAll(CommandProcess.java(KillTest.classPath()));
        line.addAll(mainAndArguments);
        return new ProcessBuilder(line).redirectError(dir.resolve("errors.txt").toFile()).redirectOutput(ProcessBuilder.Redirect.DISCARD).start();
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
        assertTrue(full.err().matches("(?s).*out\\.partial/\\S+: cannot be written: File too large \\(\\d+ bytes were to be written, its disk has \\d+ bytes free\\); free space.*"), full.err());
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

    private static List<String> killed(Path model, Path out, String how, String... more) {
        List<String> all = new ArrayList<>(List.of(KilledRun.class.getName(), model.toString(), out.toString(), "SmoothQuant", how));
        all.addAll(List.of(more));
        return all;
    }

    /**
     * States that do not fit the memory lie in a file, whose writes fail before the first block, when a run that was killed is taken up, and in the middle of a
     * block. There are so many of them here that no other file is as large.
     */
    @Test
    void theFileOfSpilledStates() throws Exception {
        Path model = DeepModel.make(dir, 3);
        String[] spilled = {"0", "20"};
        Path whole = dir.resolve("whole");
        assertEquals(0, run(0, killed(model, whole, "begin", spilled)).code());
        Map<String, String> expected = KilledRun.files(whole);
        Path out = dir.resolve("out");
        // three lists of 20 samples x 24 tokens x 128 features wait between blocks, and a fourth while a block is computed that is not the last
        long list = 20 * 24 * 128 * Float.BYTES;
        Ran first = run(3 * list + list / 2, killed(model, out, "begin", spilled));
        spillFailed(first, out);
        assertTrue(Files.notExists(out.resolve(".journal")));

        Process p = start(0, killed(model, out, "begin", spilled));
        CommandProcess.await(p, out.resolve(".journal/journal.json"), dir.resolve("errors.txt"));
        p.destroyForcibly().waitFor();
        for (long limit : List.of(2 * list, 3 * list + list / 2)) {
            spillFailed(run(limit, killed(model, out, "resume", spilled)), out);
            assertTrue(Files.exists(out.resolve(".journal/journal.json")));
        }
        Ran rest = run(0, killed(model, out, "resume", spilled));
        assertEquals(0, rest.code(), rest.err());
        assertEquals(expected, KilledRun.files(out));
    }

    private static void spillFailed(Ran r, Path out) throws IOException {
        assertEquals(1, r.code(), r.err());
        assertTrue(r.err().matches("(?s).*BadInput: hidden states do not fit 0 bytes of memory, and their temporary file in \\S+journal of \\d+ bytes could not take (12288|24576) of them: "
                + "File too large \\(its disk has \\d+ bytes free\\); free space, give a larger --memory, or use fewer calibration samples.*"), r.err());
        assertTrue(Files.notExists(out.resolve("vllm")) && Files.notExists(out.resolve("gguf-q8_0")));
        assertTrue(KilledRun.files(out).keySet().stream().noneMatch(f -> f.contains("llmc4j-states")), KilledRun.files(out).keySet().toString());
    }

    /** Parts of a split GGUF get their names when all of them are whole: a write of tensors that fails leaves none, nor does one of a part that is put together. */
    @Test
    void aSplitGgufFile() throws Exception {
        Path model = DeepModel.make(dir, 2);
        Path whole = dir.resolve("whole");
        assertEquals(0, run(0, split(model, whole)).code());
        Map<String, String> expected = KilledRun.files(whole);
        assertTrue(expected.size() > 3 && expected.keySet().stream().allMatch(n -> n.matches("m-F32-\\d{5}-of-" + String.format("%05d", expected.size()) + "\\.gguf")),
                expected.keySet().toString());
        long largest = 0;
        for (String name : expected.keySet()) {
            largest = Math.max(largest, Files.size(whole.resolve(name)));
        }
        long header = largest - PART;
        assertTrue(header > UNIT, "a header of " + header + " bytes");
        for (long limit : List.of(PART / 2, PART)) {
            Path out = dir.resolve("limit" + limit);
            Ran full = run(limit, split(model, out));
            assertEquals(1, full.code(), full.err());
            assertTrue(full.err().matches("(?s).*BadInput: \\S+m-F32.gguf: cannot be written: File too large \\(" + (limit < PART ? "\\d+" : largest) + " bytes were to be written, its disk has "
                    + "\\d+ bytes free\\); free space or choose another directory.*"), full.err());
            assertEquals(Map.of(), KilledRun.files(out));
            assertEquals(0, run(0, split(model, out)).code());
            assertEquals(expected, KilledRun.files(out));
        }
    }

    /** The largest tensor: the embedding, float32 [512, 128]. */
    private static final long PART = 512 * 128 * Float.BYTES;

    private static List<String> split(Path model, Path out) {
        return List.of(SplitGguf.class.getName(), model.toString(), out.toString(), Long.toString(PART));
    }
}
