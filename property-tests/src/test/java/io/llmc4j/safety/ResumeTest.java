package io.llmc4j.safety;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.journal.Fingerprint;
import io.llmc4j.engine.journal.RunJournal;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.pipeline.RunListener;
import io.llmc4j.engine.pipeline.RunSummary;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Runs that end in the middle and are taken up by another fold, in one process: every method that keeps something from block to block. */
class ResumeTest {

    private static final String SHARE = "llmc4j.journal.share";

    @TempDir
    static Path dir;
    private static Path model;

    @BeforeAll
    static void prepare() throws IOException {
        System.setProperty(SHARE, "1");
        model = DeepModel.make(dir, 3);
    }

    @AfterAll
    static void reset() {
        System.clearProperty(SHARE);
    }

    /** Ends the run behind a block, or in the middle of the one after it. */
    private static RunListener endingAt(int block, boolean inside) {
        return new RunListener() {
            @Override
            public void saved(int blocksDone) {
                if (!inside && blocksDone == block) {
                    throw new Ended();
                }
            }

            @Override
            public void layerDone(io.llmc4j.engine.pipeline.LayerResult layer) {
                if (inside && layer.fullName().contains("layers." + block + ".mlp")) {
                    throw new Ended();
                }
            }
        };
    }

    private static final class Ended extends RuntimeException { }

    @ParameterizedTest
    @CsvSource({"RTN", "GPTQ", "SmoothQuant", "NormTweaking", "OmniQuant"})
    void sameBytes(String method) throws IOException {
        Map<String, Object> special = switch (method) {
            case "NormTweaking" -> Map.of("epochs", 2);
            case "OmniQuant" -> Map.of("epochs", 1, "let", false, "lwc", true);
            default -> Map.of();
        };
        RunConfig config = KilledRun.config(method, special);
        Path whole = dir.resolve(method + "-whole");
        RunSummary expected = KilledRun.run(model, whole, config, false, RunListener.NONE);
        Path out = dir.resolve(method + "-parts");
        assertThrows(Ended.class, () -> KilledRun.run(model, out, config, false, endingAt(1, true)));
        assertThrows(Ended.class, () -> KilledRun.run(model, out, config, true, endingAt(2, false)));
        assertTrue(Files.notExists(out.resolve("gptq")) && Files.notExists(out.resolve("vllm")) && Files.notExists(out.resolve("gguf-q8_0")));
        assertThrows(Ended.class, () -> KilledRun.run(model, out, config, true, endingAt(3, false)));
        RunSummary got = KilledRun.run(model, out, config, true, RunListener.NONE);
        assertEquals(KilledRun.files(whole), KilledRun.files(out));
        assertEquals(expected.evaluations(), got.evaluations());
        assertEquals(expected.layers().size(), got.layers().size());
        for (int i = 0; i < got.layers().size(); i++) {
            assertEquals(expected.layers().get(i).relativeError(), got.layers().get(i).relativeError());
        }
    }

    /** What a format gathers for config.json survives too. */
    @ParameterizedTest
    @CsvSource({"vllm,true", "sglang,true", "autoawq,false", "gptq_v2,false", "mlx,false", "hqq,false", "bnb-nf4,true", "trans,true", "fake,true", "gguf:q4_k_m,true"})
    void everyFormatGoesOn(String format, boolean symmetric) throws IOException {
        RunConfig config = RunConfig.of("RTN", Map.of(), io.llmc4j.engine.pipeline.SchemePlan.of(
                io.llmc4j.engine.quant.QuantScheme.integer(4, symmetric, io.llmc4j.engine.quant.Granularity.perGroup(64))));
        List<String> formats = List.of(format);
        KilledRun.run(model, dir.resolve(format.replace(':', '-') + "-whole"), config, false, RunListener.NONE, formats);
        Path out = dir.resolve(format.replace(':', '-') + "-parts");
        assertThrows(Ended.class, () -> KilledRun.run(model, out, config, false, endingAt(2, true), formats));
        KilledRun.run(model, out, config, true, RunListener.NONE, formats);
        assertEquals(KilledRun.files(dir.resolve(format.replace(':', '-') + "-whole")), KilledRun.files(out));
    }

    @Test
    void whatChangedIsNamed() throws IOException {
        Path out = dir.resolve("changed");
        RunConfig config = KilledRun.config("RTN", Map.of());
        assertThrows(Ended.class, () -> KilledRun.run(model, out, config, false, endingAt(1, false)));
        BadInput e = assertThrows(BadInput.class, () -> KilledRun.run(model, out, config.withSeed(8), true, RunListener.NONE));
        assertTrue(e.getMessage().contains("seed was 0 and is 8"), e.getMessage());
        assertEquals(BadInput.Common.CONFIG, e.kind());
        BadInput second = assertThrows(BadInput.class, () -> KilledRun.run(model, out, config, false, RunListener.NONE));
        assertTrue(second.getMessage().contains("1 of 3 blocks are done"), second.getMessage());
        KilledRun.run(model, out, config, true, RunListener.NONE);
    }

    @Test
    void oneRunAnOutput() throws IOException {
        Path out = Files.createDirectories(dir.resolve("locked"));
        Fingerprint f = new Fingerprint(Map.of());
        try (RunJournal first = RunJournal.begin(RunJournal.Place.in(out), f, 3, false)) {
            BadInput e = assertThrows(BadInput.class, () -> RunJournal.begin(RunJournal.Place.in(out), f, 3, true));
            assertTrue(e.getMessage().contains("another run (process " + ProcessHandle.current().pid() + ") writes"), e.getMessage());
            assertTrue(first.boundary().isEmpty());
        }
        RunJournal.begin(RunJournal.Place.in(out), f, 3, false).close();
        assertEquals(Map.of(), KilledRun.files(out));
    }

    @Test
    void aShardThatChangesStopsTheRun() throws IOException {
        Path own = DeepModel.make(dir.resolve("own"), 4);
        Path out = dir.resolve("shrunk");
        RunListener truncating = new RunListener() {
            @Override
            public void saved(int blocksDone) {
                if (blocksDone == 2) {
                    try (java.nio.channels.FileChannel c = java.nio.channels.FileChannel.open(own.resolve("model.safetensors"), java.nio.file.StandardOpenOption.WRITE)) {
                        c.truncate(c.size() / 2);
                    } catch (IOException e) {
                        throw new java.io.UncheckedIOException(e);
                    }
                }
            }
        };
        BadInput e = assertThrows(BadInput.class, () -> KilledRun.run(own, out, KilledRun.config("RTN", Map.of()), false, truncating));
        assertTrue(e.getMessage().contains("the file changed while it was in use"), e.getMessage());
        assertTrue(Files.notExists(out.resolve("gptq")));
        assertEquals(2, RunJournal.find(RunJournal.Place.in(out)).orElseThrow().blocksDone());
    }

    /** Reading a mapped page that the file does not have any more is an error of the machine; it is told as what it is. */
    @Test
    void aShardThatShrinksUnderTheReader() throws IOException {
        Path own = DeepModel.make(dir.resolve("under"), 2);
        RunListener truncating = new RunListener() {
            @Override
            public void blockStarted(int block, int blocks) {
                try (java.nio.channels.FileChannel c = java.nio.channels.FileChannel.open(own.resolve("model.safetensors"), java.nio.file.StandardOpenOption.WRITE)) {
                    c.truncate(5000);
                } catch (IOException e) {
                    throw new java.io.UncheckedIOException(e);
                }
            }
        };
        BadInput e = assertThrows(BadInput.class, () -> KilledRun.run(own, dir.resolve("under-out"), KilledRun.config("RTN", Map.of()), false, truncating));
        assertTrue(e.getMessage().contains("the file changed while it was in use"), e.getMessage());
    }
}
