package io.llmc4j.safety;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** The command line as a process of its own, which signals reach. Its journal is written at every block. */
final class CommandProcess {

    /** SIGINT is the second signal, and the second bit of Linux's masks. */
    private static final long INTERRUPT = 1L << 1;

    private CommandProcess() {
    }

    /** @param classPath {@link KillTest#classPath()} or another program */
    static Process start(String classPath, Path errors, List<?> arguments) throws IOException {
        List<String> line = new ArrayList<>();
        if (interruptsAreIgnored()) {
            // So are those of a process in a shell's background, and children inherit it.
            line.addAll(List.of("env", "--default-signal=INT"));
        }
        line.addAll(java(classPath));
        line.add("io.llmc4j.cli.Main");
        arguments.forEach(a -> line.add(a.toString()));
        return new ProcessBuilder(line).redirectError(errors.toFile()).redirectOutput(ProcessBuilder.Redirect.DISCARD).start();
    }

    /** A small, quickly started Java that journals every block; a main class and its arguments are to follow. */
    static List<String> java(String classPath) {
        return List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx256m", "-XX:-UsePerfData", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
                "-Dllmc4j.kernels=scalar", "-Dllmc4j.journal.share=1", "--enable-native-access=ALL-UNNAMED", "--add-modules", "jdk.incubator.vector", "-cp", classPath);
    }

    private static boolean interruptsAreIgnored() throws IOException {
        Path status = Path.of("/proc/self/status");
        return Files.exists(status) && Files.readAllLines(status).stream().filter(l -> l.startsWith("SigIgn:"))
                .anyMatch(l -> (Long.parseUnsignedLong(l.substring(7).strip(), 16) & INTERRUPT) != 0);
    }

    /** Waits until a file is there, which must be before the process ends. {@code errors} is what it tells otherwise. */
    static void await(Process p, Path file, Path errors) throws Exception {
        long start = System.nanoTime();
        while (Files.notExists(file)) {
            assertTrue(p.isAlive() || Files.exists(file), "the process ended before " + file.getFileName() + ": " + Files.readString(errors));
            assertTrue(System.nanoTime() - start < 120_000_000_000L, "hangs before " + file.getFileName());
            Thread.sleep(1);
        }
    }

    /** Sends a signal, "INT" as Ctrl-C does, and waits for the end. Returns the exit code. */
    static int stop(Process p, String signal) throws Exception {
        assertEquals(0, new ProcessBuilder("kill", "-" + signal, Long.toString(p.pid())).inheritIO().start().waitFor());
        assertTrue(p.waitFor(60, TimeUnit.SECONDS), "hangs after SIG" + signal);
        return p.exitValue();
    }
}
