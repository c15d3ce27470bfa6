package io.llmc4j.runs;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.calibrate.CalibrationSet;
import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.model.Decoder;
import io.llmc4j.engine.model.NormSlot;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.families.FamilyModels;
import io.llmc4j.formats.export.gguf.GgufModel;
import io.llmc4j.formats.export.gguf.GgufSink;
import io.llmc4j.formats.export.gguf.GgufTarget;
import io.llmc4j.formats.export.gguf.block.GgmlType;
import io.llmc4j.formats.export.gguf.imatrix.Importance;
import io.llmc4j.formats.export.gguf.imatrix.ImportanceFiles;
import io.llmc4j.formats.export.gguf.imatrix.ImportanceMatrix;
import io.llmc4j.formats.export.gguf.imatrix.LegacyImportance;
import io.llmc4j.formats.export.gguf.mix.FileType;
import io.llmc4j.formats.hf.HfModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Importance matrices: what is summed, both files, and that encoders use them. */
class ImportanceTest {

    @TempDir
    Path dir;

    private ImportanceMatrix compute(HfModel m, String variant) {
        int[] ids = FamilyModels.ids(variant)[0];
        int[][] windows = {java.util.Arrays.copyOfRange(ids, 0, 10), java.util.Arrays.copyOfRange(ids, 10, 20), java.util.Arrays.copyOfRange(ids, 20, 30)};
        return Importance.compute(m, new CalibrationSet("ids", windows, 1, 10), 1 << 20, dir, b -> { });
    }

    @Test
    void sumsSquaredInputs() {
        try (HfModel m = FamilyModels.open("mixtral")) {
            ImportanceMatrix im = compute(m, "mixtral");
            int[] ids = FamilyModels.ids("mixtral")[0];
            Matrix x = m.block(0).norm(NormSlot.ATTENTION_INPUT).orElseThrow()
                    .apply(new Decoder(m.spec()).embed(m.ends(), new int[][] {java.util.Arrays.copyOf(ids, 30)}).data());
            double[] want = new double[x.cols()];
            for (int r = 0; r < x.rows(); r++) {
                for (int c = 0; c < x.cols(); c++) {
                    want[c] += (double) x.get(r, c) * x.get(r, c);
                }
            }
            ImportanceMatrix.Entry q = im.entries().get("blk.0.attn_q.weight");
            for (int c = 0; c < x.cols(); c++) {
                assertEquals(want[c], q.sums()[c], 1e-5 * want[c]);
            }
            assertArrayEquals(new float[] {30}, q.counts());
            assertArrayEquals(q.sums(), im.entries().get("blk.0.attn_v.weight").sums());
            ImportanceMatrix.Entry up = im.entries().get("blk.1.ffn_up_exps.weight");
            int experts = m.spec().layers().get(1).feedForward().experts().orElseThrow().count();
            int perToken = m.spec().layers().get(1).feedForward().experts().orElseThrow().perToken();
            assertEquals(experts, up.counts().length);
            float tokens = 0;
            for (float c : up.counts()) {
                tokens += c;
            }
            assertEquals(30 * perToken, tokens);
            assertTrue(!im.entries().containsKey("blk.0.ffn_gate_inp.weight"));
        }
    }

    @Test
    void bothFilesKeepTheMeans() {
        try (HfModel m = FamilyModels.open("mixtral")) {
            ImportanceMatrix im = compute(m, "mixtral");
            Path gguf = dir.resolve("imatrix.gguf");
            ImportanceFiles.writeGguf(im, gguf);
            ImportanceMatrix back = ImportanceFiles.read(gguf);
            assertEquals(im.entries().keySet(), back.entries().keySet());
            assertEquals(List.of("ids"), back.datasets());
            assertEquals(3, back.chunks());
            Path dat = dir.resolve("imatrix.dat");
            LegacyImportance.write(im, dat);
            ImportanceMatrix legacy = ImportanceFiles.read(dat);
            im.entries().forEach((name, e) -> {
                assertArrayEquals(e.sums(), back.entries().get(name).sums());
                assertArrayEquals(e.counts(), back.entries().get(name).counts());
                io.llmc4j.engine.tensor.Shape shape = e.counts().length == 1 ? new io.llmc4j.engine.tensor.Shape(7, e.columns())
                        : new io.llmc4j.engine.tensor.Shape(e.counts().length, 7, e.columns());
                assertArrayEquals(im.weights(name, shape).orElseThrow(), legacy.weights(name, shape).orElseThrow(), 1e-6f * max(e.sums()));
            });
        }
    }

    private static float max(float[] v) {
        float m = 0;
        for (float x : v) {
            m = Math.max(m, x);
        }
        return m;
    }

    @Test
    void threadsDoNotChangeABit() {
        int before = Parallel.threads();
        try (HfModel m = FamilyModels.open("qwen3")) {
            Parallel.setThreads(1);
            ImportanceMatrix one = compute(m, "qwen3");
            Parallel.setThreads(3);
            ImportanceMatrix three = compute(m, "qwen3");
            one.entries().forEach((n, e) -> assertArrayEquals(e.sums(), three.entries().get(n).sums()));
        } finally {
            Parallel.setThreads(before);
        }
    }

    @Test
    void importanceLowersTheWeighedError() {
        try (HfModel m = FamilyModels.open("qwen3")) {
            ImportanceMatrix im = compute(m, "qwen3");
            GgufTarget plain = new GgufTarget(dir, "plain", FileType.Q4_0, ImportanceMatrix.NONE, 0, Optional.empty());
            GgufTarget weighed = new GgufTarget(dir, "weighed", FileType.Q4_0, im, 0, Optional.empty());
            GgufSink.write(m, plain);
            GgufSink.write(m, weighed);
            try (GgufModel a = GgufModel.open(plain.file()); GgufModel b = GgufModel.open(weighed.file())) {
                String name = "blk.0.attn_q.weight";
                assertEquals(GgmlType.Q4_0, b.type(name));
                Matrix w = m.block(0).linear(io.llmc4j.engine.model.Role.Q).orElseThrow().weight();
                float[] means = im.weights(name, new io.llmc4j.engine.tensor.Shape(w.rows(), w.cols())).orElseThrow();
                assertTrue(error(w, b, means) < 0.97 * error(w, a, means), error(w, b, means) + " against " + error(w, a, means));
            }
        }
    }

    private static double error(Matrix w, GgufModel g, float[] means) {
        Matrix got = g.block(0).linear(io.llmc4j.engine.model.Role.Q).orElseThrow().weight();
        double sum = 0;
        for (int r = 0; r < w.rows(); r++) {
            for (int c = 0; c < w.cols(); c++) {
                double d = got.get(r, c) - w.get(r, c);
                sum += means[c] * d * d;
            }
        }
        return sum;
    }

    @Test
    void needsAndShapesAreChecked() {
        try (HfModel m = FamilyModels.open("qwen3")) {
            BadInput e = assertThrows(BadInput.class, () -> new GgufSink(new GgufTarget(dir, "x", FileType.IQ2_XS, ImportanceMatrix.NONE, 0,
                    Optional.empty()), m.spec()));
            assertEquals(BadInput.Common.CONFIG, e.kind());
            ImportanceMatrix wrong = new ImportanceMatrix(java.util.Map.of("blk.0.attn_q.weight", new ImportanceMatrix.Entry(new float[5], new float[] {1})),
                    List.of(), 1, 1);
            assertThrows(BadInput.class, () -> GgufSink.write(m, new GgufTarget(dir, "y", FileType.Q4_0, wrong, 0, Optional.empty())));
        }
    }

    @Test
    void brokenFilesAreRefused() throws IOException {
        Path file = dir.resolve("broken.dat");
        for (byte[] bytes : List.of(new byte[0], new byte[] {1, 0, 0, 0}, new byte[] {-1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0},
                new byte[] {1, 0, 0, 0, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})) {
            Files.write(file, bytes);
            assertThrows(BadInput.class, () -> ImportanceFiles.read(file));
        }
    }
}
