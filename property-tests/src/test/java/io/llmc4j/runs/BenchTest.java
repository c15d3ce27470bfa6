package io.llmc4j.runs;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.llmc4j.cli.Main;
import io.llmc4j.engine.kernel.Kernels;
import io.llmc4j.engine.kernel.Parallel;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code llmc4j bench}: what it tells adds up, and it leaves the process as it was. */
class BenchTest {

    @TempDir
    Path dir;

    private static int run(StringWriter out, StringWriter err, String... args) {
        return Main.run(new PrintWriter(out, true), new PrintWriter(err, true), args);
    }

    @Test
    void ratesAndSharesBelongToTheTimes() throws Exception {
        Path peer = Files.writeString(dir.resolve("peer.json"), "{\"name\": \"other\", \"threads\": 2, \"seconds\": {\"gemm-33-65-768\": 0.001}}");
        int threads = Parallel.threads();
        Kernels kernels = Kernels.get();
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        assertEquals(0, run(out, err, "bench", "--only", "gemm-33", "--no-runs", "--threads", "2", "--seconds", "0.01", "--peer", peer.toString(), "--json"), err::toString);
        JsonNode root = new ObjectMapper().readTree(out.toString());
        assertEquals(2, root.path("columns").size());
        JsonNode row = root.path("rows").get(0);
        assertEquals("gemm-33-65-768", row.path("id").asText());
        assertEquals(0.001, row.path("other").asDouble());
        for (int i = 0; i < 2; i++) {
            JsonNode m = row.path("measured").get(i);
            double rate = m.path("perSecond").asDouble();
            assertEquals(2.0 * 33 * 65 * 768 / m.path("seconds").asDouble(), rate, 1e-6 * rate);
            assertEquals(rate / root.path("columns").get(i).path("peakFlops").asDouble(), m.path("ofPeak").asDouble(), 1e-9);
        }
        assertEquals(kernels, Kernels.get());
        Parallel.setThreads(threads);
    }

    @Test
    void aTableHasTheMachineAndThePeer() throws Exception {
        Path peer = Files.writeString(dir.resolve("peer.json"), "{\"name\": \"other\", \"threads\": 1, \"seconds\": {\"gemm-1-4096-4096\": 100}}");
        StringWriter out = new StringWriter();
        assertEquals(0, run(out, new StringWriter(), "bench", "--only", "gemm-1-", "--no-runs", "--threads", "1", "--seconds", "0.01", "--clock", "processor", "--peer", peer.toString()));
        assertTrue(out.toString().contains("peak of 1 thread") && out.toString().contains("x as fast"), out::toString);
    }

    @Test
    void peersThatTellNothingAreRefused() throws Exception {
        Path peer = Files.writeString(dir.resolve("peer.json"), "{\"seconds\": {\"gemm-1-4096-4096\": -1}}");
        StringWriter err = new StringWriter();
        assertEquals(2, run(new StringWriter(), err, "bench", "--peer", peer.toString()));
        assertTrue(err.toString().contains("above 0"), err::toString);
    }
}
