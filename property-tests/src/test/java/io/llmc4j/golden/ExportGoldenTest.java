package io.llmc4j.golden;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.llmc4j.engine.pipeline.ModelSink;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.safetensors.SafetensorsFile;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import io.llmc4j.formats.export.Exports;
import io.llmc4j.formats.export.ModuleTensors;
import io.llmc4j.formats.export.autoawq.AwqGemm;
import io.llmc4j.formats.hf.HfModel;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Whole directories from plain rounding, held to the block and the config.json that LLMC wrote for the same settings. */
@ExtendWith(GoldenTable.class)
class ExportGoldenTest {

    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    Path tmp;

    @Test
    void packedFourBits() throws IOException {
        Path out = export("vllm", QuantScheme.integer(4, true, Granularity.perGroup(64)), Optional.empty());
        compareBlock(out, "vllm_rtn_w4", List.of("weight_shape"));
        compareConfig(out, "vllm_rtn_w4");
    }

    @Test
    void blockFp8() throws IOException {
        QuantScheme w = QuantScheme.blockFp8(64);
        QuantScheme a = QuantScheme.floating("e4m3", NumberFormat.Float.Path.EMULATED, Granularity.perGroup(64));
        Path out = export("vllm", w, Optional.of(a));
        compareBlock(out, "vllm_rtn_fp8_block", List.of());
        compareConfig(out, "vllm_rtn_fp8_block");
    }

    @Test
    void eightBitsBoth() throws IOException {
        QuantScheme w = QuantScheme.integer(8, true, Granularity.PER_CHANNEL);
        QuantScheme a = QuantScheme.integer(8, true, Granularity.PER_TOKEN);
        Path out = export("vllm", w, Optional.of(a));
        compareBlock(out, "lightx2v_w8a8", List.of());
        compareConfig(out, "vllm_w8a8");
    }

    /** After AWQ: LLMC's words are read and packed again to the same words, and config.json says the same. */
    @Test
    void autoAwq() throws IOException {
        Path out = export("autoawq", QuantScheme.integer(4, false, Granularity.perGroup(64)), Optional.empty());
        compareConfig(out, "autoawq_w4");
        GoldenTensors g = GoldenTensors.load("/golden/exports/autoawq_w4.safetensors.gz");
        AwqGemm codec = new AwqGemm();
        try (Arena arena = Arena.ofConfined()) {
            for (String layer : List.of("self_attn.q_proj", "self_attn.v_proj", "mlp.up_proj", "mlp.down_proj")) {
                String name = "model.layers.0." + layer;
                QuantizedMatrix q = codec.decode(new ModuleTensors(name, n -> GoldenModule.find(g, n, arena)));
                assertEquals("", GoldenModule.difference(g, name + ".", codec.encode(q, arena)));
            }
        }
    }

    @Test
    void floats() throws IOException {
        Path out = export("trans", QuantScheme.integer(4, true, Granularity.perGroup(64)), Optional.empty());
        assertArrayEquals(Files.readAllBytes(tmp.resolve("llama_g/tokenizer.json")), Files.readAllBytes(out.resolve("tokenizer.json")));
        assertEquals(JSON.readTree(tmp.resolve("llama_g/config.json").toFile()), JSON.readTree(out.resolve("config.json").toFile()));
        try (SafetensorsFile a = SafetensorsFile.open(tmp.resolve("llama_g/model.safetensors")); SafetensorsFile b = SafetensorsFile.open(out.resolve("model.safetensors"))) {
            assertEquals(a.entries().keySet(), b.entries().keySet());
            for (String n : a.names()) {
                assertEquals(-1, a.tensor(n).bytes().mismatch(b.tensor(n).bytes()), n);
            }
        }
        assertEquals("pt", SafetensorsFile.open(out.resolve("model.safetensors")).metadata().get("format"));
    }

    private Path export(String format, QuantScheme w, Optional<QuantScheme> a) {
        Path out = tmp.resolve("out");
        try (HfModel model = HfModel.open(GoldenModels.llama(tmp)); ModelSink sink = Exports.open(Exports.named(format), model, out, 5_000_000_000L, false)) {
            RoundedModel.write(model, sink, l -> Optional.of(w), a, Optional.empty());
            assertEquals(List.of(), sink.verify());
        }
        return out;
    }

    /** Every golden tensor of block 0 has the same type, shape and bytes here; nothing else is in the block but {@code more}. */
    private static void compareBlock(Path out, String golden, List<String> more) {
        GoldenTensors g = GoldenTensors.load("/golden/exports/" + golden + ".safetensors.gz");
        try (SafetensorsFile f = SafetensorsFile.open(out.resolve("model.safetensors"))) {
            int matched = 0;
            for (String name : f.names()) {
                if (!name.startsWith("model.layers.0.") || more.stream().anyMatch(name::endsWith)) {
                    continue;
                }
                Tensor t = f.tensor(name);
                assertTrue(g.has(name), name + " is not among LLMC's tensors");
                assertEquals(g.dtype(name), t.dtype().name(), name);
                assertArrayEquals(g.bytesOf(name), Tensors.toBytes(t), name);
                GoldenTable.tensor("llama_g", "exp_" + golden, 0, true);
                matched++;
            }
            assertEquals(g.names().size(), matched, "tensors in the block");
        }
    }

    /** What LLMC says is said here with the same values; its {@code compression_config} is under the name that loaders read. */
    private static void compareConfig(Path out, String golden) throws IOException {
        JsonNode ours = JSON.readTree(out.resolve("config.json").toFile());
        ObjectNode theirs = (ObjectNode) GoldenTensors.json("/golden/exports/" + golden + ".config.json.gz");
        if (theirs.has("compression_config")) {
            theirs.set("quantization_config", theirs.remove("compression_config"));
        }
        theirs.remove(List.of("transformers_version", "use_cache", "dtype"));
        contains(ours, theirs, "config.json");
    }

    private static void contains(JsonNode ours, JsonNode theirs, String where) {
        if (!theirs.isObject()) {
            assertEquals(theirs, ours, where);
            return;
        }
        theirs.properties().forEach(e -> {
            assertTrue(ours.has(e.getKey()), where + "." + e.getKey());
            contains(ours.get(e.getKey()), e.getValue(), where + "." + e.getKey());
        });
    }
}
