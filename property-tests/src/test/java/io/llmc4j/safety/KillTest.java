package io.llmc4j.safety;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A process that is killed (SIGKILL) again and again, at block boundaries, in the middle of journals, states and shards, between renames, and at random
 * moments; what is left is taken up until it ends, and has the bytes of a run that nobody touched. {@code -Dllmc4j.kills=30} asks for more than the
 * few kills of every build.
 */
class KillTest {

    private static final int KILLS = Integer.getInteger("llmc4j.kills", 6);

    /** Moments: the process is killed as soon as a file of this name is there, or one that ends so. An empty name: a random moment. */
    private static final List<String> MOMENTS = List.of("states-00002.safetensors.partial", "journal.json.partial", "", "tensors-00002.staged", "model-00001-of-", "config.json",
            "", "states-00004.safetensors", "*.gguf", "gguf-q8_0/", "vllm/", "");

    @TempDir
    Path dir;

    @Test
    void theSameBytesHoweverOftenItIsKilled() throws Exception {
        Path model = DeepModel.make(dir, 5);
        Path whole = dir.resolve("whole");
        long start = System.nanoTime();
        Process untouched = start(model, whole, "begin");
        assertTrue(untouched.waitFor(120, TimeUnit.SECONDS));
        assertEquals(0, untouched.exitValue());
        long usual = System.nanoTime() - start;
        Map<String, String> expected = KilledRun.files(whole);
        SplittableRandom random = new SplittableRandom(11);
        int kills = 0;
        for (int chain = 0; kills < KILLS; chain++) {
            Path out = dir.resolve("chain" + chain);
            boolean done = false;
            for (int i = 0; !done && i < 40; i++) {
                // moments of the later part of a run come later in a chain, so that all of them are reached
                String moment = kills < KILLS ? MOMENTS.get((kills + chain) % MOMENTS.size()) : "never";
                Process p = start(model, out, Files.isDirectory(out) ? "resume" : "begin");
                boolean killed = killAt(p, out, moment, (long) (usual * random.nextDouble()));
                if (killed) {
                    kills++;
                    nothingPartialHasAName(out, expected);
                } else {
                    assertEquals(0, p.exitValue(), "the process that was not killed");
                    done = true;
                }
            }
            assertEquals(expected, KilledRun.files(out), "after " + kills + " kills");
        }
        assertTrue(kills >= KILLS);
    }

    /** Waits for the moment, then kills; false when the process came to its end before. */
    private static boolean killAt(Process p, Path out, String moment, long nanos) throws Exception {
        long start = System.nanoTime();
        while (p.isAlive()) {
            boolean now = moment.isEmpty() ? System.nanoTime() - start > nanos : present(out, moment);
            if (now) {
                p.destroyForcibly();
                p.waitFor();
                return true;
            }
            Thread.sleep(1);
            assertTrue(System.nanoTime() - start < 120_000_000_000L, "hangs");
        }
        return false;
    }

    private static boolean present(Path out, String moment) {
        if (moment.endsWith("/")) {
            return Files.isDirectory(out.resolve(moment));
        }
        try (Stream<Path> all = Files.walk(out)) {
            return all.map(f -> f.getFileName().toString()).anyMatch(f -> moment.startsWith("*") ? f.endsWith(moment.substring(1)) : f.contains(moment));
        } catch (IOException | java.io.UncheckedIOException e) {
            return false;
        }
    }

    /** An output directory is there as a whole or not at all. */
    private static void nothingPartialHasAName(Path out, Map<String, String> expected) throws IOException {
        if (!Files.isDirectory(out)) {
            return;
        }
        for (String target : List.of("vllm", "gguf-q8_0")) {
            if (Files.isDirectory(out.resolve(target))) {
                Map<String, String> there = KilledRun.files(out.resolve(target));
                expected.forEach((name, sha) -> {
                    if (name.startsWith(target + "/")) {
                        assertEquals(sha, there.get(name.substring(target.length() + 1)), name);
                    }
                });
            }
        }
    }

    private static Process start(Path model, Path out, String how) throws IOException {
        List<String> line = new ArrayList<>(CommandProcess.java(classPath()));
        line.addAll(List.of(KilledRun.class.getName(), model.toString(), out.toString(), "SmoothQuant", how));
        return new ProcessBuilder(line).redirectError(ProcessBuilder.Redirect.INHERIT).redirectOutput(ProcessBuilder.Redirect.DISCARD).start();
    }

    /** As this test was loaded: from the class path, or by a launcher's own class loader. */
    static String classPath() {
        List<String> paths = new ArrayList<>();
        for (ClassLoader l = KillTest.class.getClassLoader(); l != null; l = l.getParent()) {
            if (l instanceof URLClassLoader u) {
                for (URL url : u.getURLs()) {
                    paths.add(url.getPath());
                }
            }
        }
        paths.add(System.getProperty("java.class.path"));
        return String.join(File.pathSeparator, paths);
    }
}
