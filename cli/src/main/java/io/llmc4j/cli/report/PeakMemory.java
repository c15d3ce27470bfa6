package io.llmc4j.cli.report;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;

/** The most memory that this process held at any time. */
public final class PeakMemory {

    private PeakMemory() {
    }

    /** Peak resident set where the system tells it (Linux), else the peaks of the heap's and the other pools, which leaves mapped files out. */
    public static long bytes() {
        Path status = Path.of("/proc/self/status");
        if (Files.isReadable(status)) {
            try {
                for (String line : Files.readAllLines(status)) {
                    if (line.startsWith("VmHWM:")) {
                        return Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024;
                    }
                }
            } catch (IOException | NumberFormatException e) {
                // Not readable after all: the pools tell something.
            }
        }
        return ManagementFactory.getMemoryPoolMXBeans().stream().mapToLong(p -> p.getPeakUsage() == null ? 0 : p.getPeakUsage().getUsed()).sum();
    }
}
