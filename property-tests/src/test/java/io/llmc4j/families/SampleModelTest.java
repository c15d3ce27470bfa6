package io.llmc4j.families;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.model.Decoder;
import io.llmc4j.engine.model.ForwardHooks;
import io.llmc4j.engine.model.Hidden;
import io.llmc4j.engine.model.ModelEnds;
import io.llmc4j.engine.model.PlainKvCache;
import io.llmc4j.engine.safetensors.SafetensorsFile;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Tensors;
import io.llmc4j.formats.hf.HfModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The sample model of the project, a directory on disk, against values that transformers computed from it. */
class SampleModelTest {

    /** The tests run in their module's folder or are told the project's. */
    private static Path sample() {
        String root = System.getProperty("llmc4j.root");
        Path p = (root == null ? Path.of("..") : Path.of(root)).resolve("cli/samples/tiny-llama-en");
        assertTrue(Files.isDirectory(p), "no sample model at " + p.toAbsolutePath());
        return p;
    }

    private static SafetensorsFile reference() {
        try (var in = SampleModelTest.class.getClassLoader().getResourceAsStream("tiny-llama-en/reference.safetensors.gz")) {
            return SafetensorsFile.of(new java.util.zip.GZIPInputStream(in).readAllBytes(), "reference");
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    @Test
    void logitsAndCrossEntropy() {
        try (HfModel m = HfModel.open(sample()); SafetensorsFile r = reference()) {
            int[][] ids = {Tensors.toInts(r.tensor("input_ids"))};
            Decoder decoder = new Decoder(m.spec());
            ModelEnds ends = m.ends();
            Hidden h = decoder.embed(ends, ids);
            for (int i = 0; i < m.spec().blocks(); i++) {
                h = decoder.block(m.block(i), h, ForwardHooks.NONE);
            }
            double d = FamilyModels.difference(Tensors.toMatrix(r.tensor("logits")), decoder.logits(ends, h));
            assertTrue(d < 1e-4, "differs by " + d);
            double nll = Tensors.getFloat(r.tensor("sum_nll"), 0);
            assertEquals(nll, decoder.crossEntropy(ends, h, ids)[0], 1e-4 * nll);
        }
    }

    @Test
    void greedyContinuation() {
        try (HfModel m = HfModel.open(sample()); SafetensorsFile r = reference()) {
            int[] prompt = Tensors.toInts(r.tensor("prompt_ids"));
            int[] want = Tensors.toInts(r.tensor("output_ids"));
            Decoder decoder = new Decoder(m.spec());
            PlainKvCache cache = new PlainKvCache();
            int[] got = new int[want.length];
            int[] next = prompt;
            int seen = 0;
            for (int i = 0; i < want.length; i++) {
                Hidden h = decoder.embed(m.ends(), new int[][] {next}, seen);
                for (int b = 0; b < m.spec().blocks(); b++) {
                    h = decoder.block(m.block(b), h, ForwardHooks.NONE, cache);
                }
                Matrix logits = decoder.logits(m.ends(), h);
                seen += next.length;
                got[i] = largest(logits, logits.rows() - 1);
                next = new int[] {got[i]};
            }
            assertArrayEquals(want, got);
        }
    }

    private static int largest(Matrix m, int row) {
        int best = 0;
        for (int c = 1; c < m.cols(); c++) {
            if (m.get(row, c) > m.get(row, best)) {
                best = c;
            }
        }
        return best;
    }

    @Test
    void sideFilesAreListed() {
        try (HfModel m = HfModel.open(sample())) {
            List<String> names = m.sideFiles().stream().map(Path::toString).toList();
            assertTrue(names.contains("tokenizer.json"), names.toString());
            assertTrue(names.stream().noneMatch(n -> n.equals("config.json") || n.endsWith(".safetensors")), names.toString());
        }
    }
}
