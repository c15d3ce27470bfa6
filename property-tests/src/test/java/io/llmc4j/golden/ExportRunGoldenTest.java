package io.llmc4j.golden;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.llmc4j.engine.pipeline.BlockFold;
import io.llmc4j.engine.pipeline.ModelSink;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.pipeline.RunListener;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import io.llmc4j.formats.export.Exports;
import io.llmc4j.formats.hf.HfModel;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * AWQ into an export, against what LLMC exported. Codes may differ in one of a thousand, where a sum in another order tips a tie. AutoAWQ: LLMC rounds
 * once more with the scale in half precision, we write the codes that the run computed with; such a scale moves a quotient by up to 15 / 4096, so that
 * one code of 200 may be the neighbour.
 */
@ExtendWith(GoldenTable.class)
class ExportRunGoldenTest {

    @TempDir
    Path tmp;

    @ParameterizedTest
    @CsvSource({"vllm_w4, vllm, 0.001", "vllm_w8a8, vllm, 0.001", "vllm_fp8, vllm, 0.001", "autoawq_w4, autoawq, 0.005", "trtllm_w4, trtllm, 0", "fake_awq, fake, 0.001"})
    void block(String name, String format, double share) {
        JsonNode entry = entry("exp_" + name);
        GoldenTensors calibration = GoldenTensors.load("/golden/exports/calibration" + (entry.toString().contains("calib_short") ? "_short" : "") + ".safetensors.gz");
        RunConfig config = LlmcConfigs.run(entry.get("config"), rows(calibration));
        Path out = tmp.resolve("out");
        try (HfModel source = HfModel.open(GoldenMethods.directory("llama_g"));
                ModelSink sink = Exports.open(Exports.named(format), source, out, 5_000_000_000L, false)) {
            new BlockFold(source, config, List.of(sink), new RunListener() { }).run();
            assertEquals(List.of(), sink.verify());
        }
        GoldenTensors g = GoldenTensors.load("/golden/exports/" + name + ".safetensors.gz");
        try (HfModel back = HfModel.open(out)) {
            for (String tensor : g.names()) {
                Optional<Tensor> ours = back.store().find(tensor);
                assertTrue(ours.isPresent(), tensor);
                assertEquals(g.dtype(tensor), ours.get().dtype().name(), tensor);
                if (tensor.endsWith("qzeros")) {
                    assertEquals(0, nibbles(g.bytesOf(tensor), Tensors.toBytes(ours.get())), tensor);
                } else if (tensor.endsWith("scale") || tensor.endsWith("scales") || tensor.contains("layernorm")) {
                    assertClose(floats(g, tensor), Tensors.toFloats(ours.get()), tensor);
                } else if (g.dtype(tensor).equals("F32")) {
                    assertNear(floats(g, tensor), Tensors.toFloats(ours.get()), share, tensor);
                } else {
                    boolean words = g.dtype(tensor).equals("I32");
                    int differing = words ? nibbles(g.bytesOf(tensor), Tensors.toBytes(ours.get())) : bytes(g.bytesOf(tensor), Tensors.toBytes(ours.get()));
                    int all = g.bytesOf(tensor).length * (words ? 2 : 1);
                    System.out.printf("%-12s %-48s %d of %d codes differ%n", name, tensor, differing, all);
                    GoldenTable.tensor("llama_g", "exp_" + name, (double) differing / all, differing <= share * all);
                    assertTrue(differing <= share * all, tensor + ": " + differing + " of " + all);
                }
            }
        }
    }

    /** As LLMC's are: the same bytes under other names. */
    @ParameterizedTest
    @CsvSource({"vllm, sglang, 8, true", "vllm, lightllm, 8, true", "autoawq, mlcllm, 4, false"})
    void otherNames(String format, String other, int bits, boolean symmetric) throws java.io.IOException {
        QuantScheme w = QuantScheme.integer(bits, symmetric, bits == 8 ? Granularity.PER_CHANNEL : Granularity.perGroup(64));
        for (String f : List.of(format, other)) {
            try (HfModel source = HfModel.open(GoldenMethods.directory("llama_g")); ModelSink sink = Exports.open(Exports.named(f), source, tmp.resolve(f), 5_000_000_000L, false)) {
                RoundedModel.write(source, sink, l -> Optional.of(w), bits == 8 ? Optional.of(QuantScheme.integer(8, true, Granularity.PER_TOKEN)) : Optional.empty(), Optional.empty());
            }
        }
        assertEquals(-1, java.nio.file.Files.mismatch(tmp.resolve(format).resolve("model.safetensors"), tmp.resolve(other).resolve("model.safetensors")));
    }

    private static float[] floats(GoldenTensors g, String name) {
        try (java.lang.foreign.Arena arena = java.lang.foreign.Arena.ofConfined()) {
            return Tensors.toFloats(GoldenModule.find(g, name, arena).orElseThrow());
        }
    }

    /** Within a unit of half precision. */
    private static void assertClose(float[] want, float[] got, String where) {
        assertEquals(want.length, got.length, where);
        for (int i = 0; i < want.length; i++) {
            assertTrue(Math.abs(want[i] - got[i]) <= 0x1p-10 * Math.abs(want[i]), where + "[" + i + "]: " + got[i] + ", LLMC " + want[i]);
        }
    }

    /** Floats within 1e-5 of the largest, but for a share that may be a code further. */
    private static void assertNear(float[] want, float[] got, double share, String where) {
        assertEquals(want.length, got.length, where);
        float largest = 0;
        for (float v : want) {
            largest = Math.max(largest, Math.abs(v));
        }
        int far = 0;
        for (int i = 0; i < want.length; i++) {
            far += Math.abs(want[i] - got[i]) <= 1e-5f * largest ? 0 : 1;
        }
        assertTrue(far <= share * want.length, where + ": " + far + " of " + want.length + " weights differ");
    }

    private static int bytes(byte[] a, byte[] b) {
        int n = 0;
        for (int i = 0; i < a.length; i++) {
            n += a[i] == b[i] ? 0 : 1;
        }
        return n;
    }

    private static int nibbles(byte[] a, byte[] b) {
        int n = 0;
        for (int i = 0; i < a.length; i++) {
            n += ((a[i] ^ b[i]) & 15) == 0 ? 0 : 1;
            n += ((a[i] ^ b[i]) & 240) == 0 ? 0 : 1;
        }
        return n;
    }

    private static JsonNode entry(String name) {
        for (JsonNode c : GoldenTensors.json("/golden/methods/index.json.gz").get("cases")) {
            if (c.get("case").asText().equals(name)) {
                return c;
            }
        }
        throw new IllegalArgumentException(name);
    }

    private static int[][] rows(GoldenTensors g) {
        int[] shape = g.shape("calib_ids");
        int[] flat = g.ints("calib_ids");
        int[][] out = new int[shape[0]][];
        Arrays.setAll(out, i -> Arrays.copyOfRange(flat, i * shape[1], (i + 1) * shape[1]));
        return out;
    }
}
