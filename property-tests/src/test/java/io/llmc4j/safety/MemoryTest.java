package io.llmc4j.safety;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

/**
 * The peak of memory is that of one block, however deep the model: a process of its own for each depth, with a heap that holds one block. {@code -Dllmc4j.wide=true}
 * takes a block of 4096 and 14336 and depths of 8 and 32.
 */
@EnabledOnOs(OS.LINUX)
class MemoryTest {

    @Test
    void thePeakDoesNotGrowWithDepth() throws Exception {
        boolean wide = Boolean.getBoolean("llmc4j.wide");
        int hidden = wide ? 4096 : 1024;
        int inner = wide ? 14336 : 3584;
        // floats, rounded floats, codes, and what is at work on one layer
        long parameters = 4L * hidden * hidden + 3L * hidden * inner;
        long heap = 14 * parameters + 100_000_000;
        long shallow = peak(wide ? 8 : 2, hidden, inner, heap);
        long deep = peak(wide ? 32 : 5, hidden, inner, heap);
        assertTrue(deep < 1.1 * shallow, "peak of the shallow model " + shallow / 1_000_000 + " MB, of the deep one " + deep / 1_000_000 + " MB");
        System.out.println("peak at " + hidden + " and " + inner + ": " + shallow / 1_000_000 + " MB of the shallow model, " + deep / 1_000_000 + " MB of the deep one");
    }

    private static long peak(int blocks, int hidden, int inner, long heap) throws IOException, InterruptedException {
        List<String> line = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx" + heap / 1_000_000 + "m", "-XX:+UseSerialGC",
                "--enable-native-access=ALL-UNNAMED", "--add-modules", "jdk.incubator.vector"));
        if (!Boolean.getBoolean("llmc4j.wide")) {
            // so little work is over before the optimizing compiler pays
            line.addAll(List.of("-XX:TieredStopAtLevel=1", "-Dllmc4j.kernels=scalar"));
        }
        line.addAll(List.of("-cp", KillTest.classPath(), WideRun.class.getName(), "" + blocks, "" + hidden, "" + inner));
        Process p = new ProcessBuilder(line).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        String out = new String(p.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        assertEquals(0, p.waitFor(), out);
        String[] parts = out.split(" ");
        assertEquals(blocks * (4L * hidden * hidden + 3L * hidden * inner), Long.parseLong(parts[0]));
        return Long.parseLong(parts[1]);
    }
}
