package io.llmc4j.runs;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.pipeline.LayerResult;
import io.llmc4j.engine.pipeline.ModelSink;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.formats.export.Exports;
import io.llmc4j.formats.export.gguf.GgufModel;
import io.llmc4j.formats.export.gguf.GgufSink;
import io.llmc4j.formats.export.gguf.GgufTarget;
import io.llmc4j.formats.export.gguf.block.GgmlType;
import io.llmc4j.formats.export.gguf.imatrix.ImportanceMatrix;
import io.llmc4j.formats.export.gguf.mix.FileType;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.golden.GoldenModels;
import io.llmc4j.golden.RoundedModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** GGUF as the end of a run: codes that go in as they are, blocks left out, the check after writing. */
class GgufExportTest {

    @TempDir
    Path dir;

    private ModelSink sink(String format, HfModel m, Path out) {
        return Exports.open(Exports.named(format), m, out, 1L << 40, false);
    }

    private static Path gguf(Path out) {
        try (Stream<Path> files = Files.list(out)) {
            return files.filter(p -> p.toString().endsWith(".gguf")).findFirst().orElseThrow();
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    /** A method's codes are in the file: weights are its rounded ones, but for scales in half precision. */
    @ParameterizedTest
    @CsvSource({"Q4_0, 4, true, 32", "Q4_0, 4, true, 128", "Q4_1, 4, false, 32", "Q5_0, 5, true, 32", "Q5_1, 5, false, 64", "Q8_0, 8, true, 32"})
    void codesGoInAsTheyAre(String type, int bits, boolean symmetric, int group) {
        Path out = dir.resolve("out");
        QuantScheme scheme = QuantScheme.integer(bits, symmetric, Granularity.perGroup(group));
        try (HfModel m = HfModel.open(GoldenModels.llama(dir)); ModelSink sink = sink("gguf:" + type, m, out)) {
            RoundedModel.write(m, sink, l -> Optional.of(scheme), Optional.empty(), Optional.empty());
            assertEquals(List.of(), sink.verify());
            try (GgufModel g = GgufModel.open(gguf(out))) {
                for (int b = 0; b < m.spec().blocks(); b++) {
                    for (LayerResult r : RoundedModel.results(m, m.block(b), l -> Optional.of(scheme), Optional.empty(), Optional.empty())) {
                        Linear got = g.block(b).linear(r.layer().role()).orElseThrow();
                        assertEquals(GgmlType.valueOf(type), g.type("blk." + b + "." + got.name() + ".weight"));
                        close(r.fake(), got.weight(), r.layer().name());
                    }
                }
            }
        }
    }

    private static void close(Matrix want, Matrix got, String name) {
        float largest = 0;
        for (float v : want.data()) {
            largest = Math.max(largest, Math.abs(v));
        }
        for (int i = 0; i < want.data().length; i++) {
            // Half precision keeps eleven bits of a scale, and of an offset that may be as large as the range.
            assertEquals(want.data()[i], got.data()[i], 2 * largest / 2048, name + " element " + i);
        }
    }

    /** Without a place for the codes, what the method rounded is encoded: the file's error is near the type's own. */
    @Test
    void otherwiseRoundedWeightsAreEncoded() {
        Path out = dir.resolve("out");
        QuantScheme scheme = QuantScheme.integer(4, false, Granularity.perGroup(32));
        try (HfModel m = HfModel.open(GoldenModels.llama(dir)); ModelSink sink = sink("gguf:Q8_0", m, out)) {
            RoundedModel.write(m, sink, l -> Optional.of(scheme), Optional.empty(), Optional.empty());
            try (GgufModel g = GgufModel.open(gguf(out))) {
                for (LayerResult r : RoundedModel.results(m, m.block(1), l -> Optional.of(scheme), Optional.empty(), Optional.empty())) {
                    double[] e = errors(r.fake(), g.block(1).linear(r.layer().role()).orElseThrow().weight());
                    assertTrue(e[0] / e[1] < 1e-4, r.layer().name() + ": " + e[0] / e[1]);
                }
            }
        }
    }

    private static double[] errors(Matrix a, Matrix b) {
        double error = 0;
        double power = 0;
        for (int i = 0; i < a.data().length; i++) {
            double d = a.data()[i] - b.data()[i];
            error += d * d;
            power += (double) a.data()[i] * a.data()[i];
        }
        return new double[] {error, power};
    }

    /** Tensors lie where they were written: no second copy, the same bytes as where the header's size could not be foreseen. */
    @Test
    void theDiskHoldsOneCopy() throws IOException {
        Path out = dir.resolve("out");
        Path staging = dir.resolve(".out.partial");
        try (HfModel m = HfModel.open(GoldenModels.llama(dir)); ModelSink sink = sink("gguf:Q4_0", m, out)) {
            sink.ends(m.ends());
            sink.block(m.block(0), List.of());
            Object begun;
            try (Stream<Path> files = Files.list(staging)) {
                begun = Files.readAttributes(files.findFirst().orElseThrow(), BasicFileAttributes.class).fileKey();
            }
            sink.block(m.block(1), List.of());
            sink.finish();
            Path file = gguf(out);
            if (begun != null) {
                assertEquals(begun, Files.readAttributes(file, BasicFileAttributes.class).fileKey());
            }
            GgufTarget target = new GgufTarget(Files.createDirectories(dir.resolve("copied")), file.getFileName().toString().replaceFirst("-Q4_0\\.gguf$", ""),
                    FileType.Q4_0, ImportanceMatrix.NONE, 0, m.directory());
            try (GgufSink copied = new GgufSink(target, m.spec())) {
                copied.ends(m.ends());
                copied.block(m.block(0), List.of());
                copied.block(m.block(1), List.of());
                copied.finish();
                assertEquals(-1, Files.mismatch(file, target.file()));
            }
        }
    }

    @Test
    void blocksLeftOutRenumberTheOthers() {
        Path out = dir.resolve("out");
        try (HfModel m = HfModel.open(GoldenModels.llama(dir)); ModelSink sink = sink("gguf:F32", m, out)) {
            sink.ends(m.ends());
            sink.block(m.block(1), List.of());
            sink.finish();
            assertEquals(List.of(), sink.verify());
            try (GgufModel g = GgufModel.open(gguf(out))) {
                assertEquals(1, g.spec().blocks());
                for (Linear l : m.block(1).linears()) {
                    assertArrayEquals(l.weight().data(), g.block(0).linear(l.role()).orElseThrow().weight().data());
                }
            }
        }
    }

    @Test
    void theCheckFindsAChangedByte() throws IOException {
        Path out = dir.resolve("out");
        try (HfModel m = HfModel.open(GoldenModels.llama(dir)); ModelSink sink = sink("gguf", m, out)) {
            RoundedModel.write(m, sink, l -> Optional.empty(), Optional.empty(), Optional.empty());
            assertEquals(List.of(), sink.verify());
            byte[] bytes = Files.readAllBytes(gguf(out));
            bytes[bytes.length - 5000] ^= 1;
            Files.write(gguf(out), bytes);
            List<String> found = sink.verify();
            assertEquals(1, found.size(), found.toString());
            assertTrue(found.getFirst().contains("other bytes"), found.getFirst());
        }
    }

    /** Nothing is left behind by a run that stops in the middle. */
    @Test
    void allOrNothing() throws IOException {
        Path parent = Files.createDirectory(dir.resolve("parent"));
        try (HfModel m = HfModel.open(GoldenModels.llama(dir)); ModelSink sink = sink("gguf:Q4_0", m, parent.resolve("out"))) {
            sink.ends(m.ends());
            sink.block(m.block(0), List.of());
        }
        try (Stream<Path> files = Files.list(parent)) {
            assertEquals(List.of(), files.toList());
        }
    }

    @Test
    void namesOfTypes() {
        assertEquals("gguf:IQ4_XS", Exports.named("gguf:iq4_xs").name());
        assertEquals("gguf", Exports.named("gguf:Q4_K").name());
        BadInput e = assertThrows(BadInput.class, () -> Exports.named("gguf:Q7_K"));
        assertTrue(e.getMessage().contains("Q4_K_M"), e.getMessage());
    }

    @Test
    void infinitiesAreRefused() {
        Path out = dir.resolve("out");
        try (HfModel m = HfModel.open(GoldenModels.llama(dir)); ModelSink sink = sink("gguf:Q8_0", m, out)) {
            sink.ends(m.ends());
            io.llmc4j.engine.model.Block b = m.block(0);
            b.linears().getFirst().weight().data()[7] = Float.NaN;
            BadInput e = assertThrows(BadInput.class, () -> sink.block(b, List.of()));
            assertTrue(e.getMessage().contains("NaN"), e.getMessage());
        }
    }
}
