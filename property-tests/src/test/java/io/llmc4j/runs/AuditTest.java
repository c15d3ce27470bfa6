package io.llmc4j.runs;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.WeightRounding;
import io.llmc4j.engine.quant.WeightRoundings;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.pipeline.LayerResult;
import io.llmc4j.engine.pipeline.ModelSink;
import io.llmc4j.engine.safetensors.SafetensorsFile;
import io.llmc4j.engine.tensor.Conversions;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import io.llmc4j.families.FamilyModels;
import io.llmc4j.formats.audit.Audit;
import io.llmc4j.formats.audit.AuditReport;
import io.llmc4j.formats.audit.Finding;
import io.llmc4j.formats.audit.LayerAudit;
import io.llmc4j.formats.export.Exports;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.golden.GoldenModels;
import io.llmc4j.golden.RoundedModel;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** Audits of sound models in many formats, and of models with one fault each, which has to be found and named. */
class AuditTest {

    @TempDir
    static Path tmp;
    private static HfModel llama;
    private static int count;

    @BeforeAll
    static void open() {
        llama = HfModel.open(GoldenModels.llama(tmp));
    }

    @AfterAll
    static void close() {
        llama.close();
    }

    private static AuditReport audit(Path directory) {
        return Audit.run(directory, llama, Optional.empty(), Audit.Listener.NONE);
    }

    private static Path made(String format, QuantScheme weight) {
        return AuditedModels.write(llama, format, weight, Optional.empty(), tmp.resolve("m" + count++));
    }

    private static AuditReport sound(AuditReport r) {
        assertTrue(r.sound(), r.findings().toString());
        assertEquals(List.of(), r.of(Finding.Severity.WARNING));
        assertTrue(r.verdict().startsWith("SOUND: "), r.verdict());
        return r;
    }

    /** The only fault of the model is this one. */
    private static Finding onlyFault(AuditReport r, Finding.Rule rule, String where, String... words) {
        assertFalse(r.sound());
        assertEquals(1, r.faults().size(), r.faults().toString());
        Finding f = r.faults().getFirst();
        assertEquals(rule, f.rule(), f.toString());
        assertEquals(where, f.where());
        for (String w : words) {
            assertTrue(f.message().contains(w), f.toString());
        }
        assertTrue(r.verdict().startsWith("UNSOUND: 1 fault"), r.verdict());
        return f;
    }

    @TestFactory
    Stream<DynamicTest> soundModelsPass() {
        Granularity g64 = Granularity.perGroup(64);
        Granularity channel = Granularity.PER_CHANNEL;
        Map<String, Object[]> cases = new LinkedHashMap<>();
        cases.put("vllm w4 sym", new Object[]{"vllm", AuditedModels.ints(4, true, g64), Optional.empty(), "compressed-tensors, pack-quantized"});
        cases.put("vllm w4 asym", new Object[]{"vllm", AuditedModels.ints(4, false, g64), Optional.empty(), "compressed-tensors, pack-quantized"});
        cases.put("vllm w3", new Object[]{"vllm", AuditedModels.ints(3, false, g64), Optional.empty(), "compressed-tensors, pack-quantized"});
        cases.put("vllm w8a8", new Object[]{"vllm", AuditedModels.ints(8, true, channel), Optional.of(AuditedModels.ints(8, true, Granularity.PER_TOKEN)),
            "compressed-tensors, int-quantized"});
        cases.put("vllm fp8", new Object[]{"vllm", AuditedModels.fp8(channel), Optional.of(AuditedModels.fp8(Granularity.PER_TOKEN)), "compressed-tensors, float-quantized"});
        cases.put("fp8 blocks", new Object[]{"sglang", AuditedModels.fp8(Granularity.perBlock(64)), Optional.of(AuditedModels.fp8(g64)), "FP8, blocks"});
        cases.put("nvfp4", new Object[]{"compressed-tensors", QuantScheme.nvfp4(), Optional.empty(), "compressed-tensors, nvfp4-pack-quantized"});
        cases.put("mxfp4", new Object[]{"vllm", QuantScheme.microscaling("e2m1"), Optional.empty(), "compressed-tensors, mxfp4-pack-quantized"});
        cases.put("autoawq", new Object[]{"autoawq", AuditedModels.ints(4, false, g64), Optional.empty(), "AutoAWQ, gemm"});
        cases.put("gptq", new Object[]{"gptq", AuditedModels.ints(4, true, g64), Optional.empty(), "GPTQ, version 1"});
        cases.put("gptq asym", new Object[]{"gptq", AuditedModels.ints(2, false, g64), Optional.empty(), "GPTQ, version 2"});
        cases.put("gptq_v2 w8", new Object[]{"gptq_v2", AuditedModels.ints(8, true, channel), Optional.empty(), "GPTQ, version 2"});
        cases.put("lightx2v", new Object[]{"lightx2v", AuditedModels.ints(8, true, channel), Optional.of(AuditedModels.ints(8, true, Granularity.PER_TOKEN)),
            "int8-vllm-sq"});
        return cases.entrySet().stream().map(e -> DynamicTest.dynamicTest(e.getKey(), () -> {
            Object[] c = e.getValue();
            @SuppressWarnings("unchecked")
            Optional<QuantScheme> activation = (Optional<QuantScheme>) c[2];
            Path out = AuditedModels.write(llama, (String) c[0], (QuantScheme) c[1], activation, tmp.resolve("m" + count++));
            AuditReport r = sound(audit(out));
            if (!e.getKey().equals("lightx2v")) {
                assertEquals(c[3], r.format());
            }
            assertEquals(14, r.layers().size());
            for (LayerAudit l : r.layers()) {
                assertEquals("original", l.reference());
                assertFalse(l.worse(), l.toString());
                // MXFP4 was written with OCP's own scales, and the file does not say how they were chosen.
                double chosen = e.getKey().equals("mxfp4") ? 1.06 : 1.01;
                assertTrue(l.error().relative() <= chosen * l.plain().orElseThrow() && l.error().relative() >= 0.98 * l.plain().get(), l.toString());
            }
        }));
    }

    /** Formats whose scales or codes are not this project's: other libraries' own rounding, blocks of GGUF. */
    @TestFactory
    Stream<DynamicTest> soundModelsOfOtherLibrariesPass() {
        Map<String, QuantScheme> cases = new LinkedHashMap<>();
        cases.put("mlx", AuditedModels.ints(4, false, Granularity.perGroup(64)));
        cases.put("hqq", AuditedModels.ints(4, false, Granularity.perGroup(64)));
        cases.put("bnb-int8", AuditedModels.ints(8, true, Granularity.PER_CHANNEL));
        cases.put("bnb-nf4", AuditedModels.ints(4, true, Granularity.perGroup(64)));
        for (String type : List.of("Q4_0", "Q5_1", "Q8_0", "IQ4_NL", "BF16")) {
            cases.put("gguf:" + type, AuditedModels.ints(8, true, Granularity.perGroup(32)));
        }
        return cases.entrySet().stream().map(e -> DynamicTest.dynamicTest(e.getKey(), () -> {
            boolean transformed = e.getKey().startsWith("gguf");
            Path out = AuditedModels.write(llama, e.getKey(), l -> transformed ? Optional.empty() : Optional.of(e.getValue()), Optional.empty(), tmp.resolve("m" + count++),
                    AuditedModels.SHARD);
            AuditReport r = sound(audit(out));
            assertEquals(14, r.layers().size());
            for (LayerAudit l : r.layers()) {
                assertTrue(l.error().relative() > 0 && l.error().relative() < 0.13, l.toString());
                assertFalse(l.worse(), l.toString());
                assertEquals(e.getKey().equals("gguf:BF16"), l.error().snr() > 50, l.toString());
            }
        }));
    }

    @Test
    void aGgufFileOfAnotherModelIsFound() throws IOException {
        Path out = AuditedModels.write(llama, "gguf:Q8_0", l -> Optional.empty(), Optional.empty(), tmp.resolve("m" + count++), AuditedModels.SHARD);
        Path file;
        try (Stream<Path> files = Files.list(out)) {
            file = files.filter(f -> f.toString().endsWith(".gguf")).findFirst().orElseThrow();
        }
        byte[] bytes = Files.readAllBytes(file);
        // The last 20 000 bytes belong to the last tensors: their rows are moved by a block.
        System.arraycopy(bytes, bytes.length - 20_000 - 34 * 8, bytes, bytes.length - 20_000, 20_000);
        Files.write(file, bytes);
        AuditReport r = audit(file);
        assertFalse(r.sound());
        assertTrue(r.faults().stream().allMatch(f -> f.rule() == Finding.Rule.LAYER || f.rule() == Finding.Rule.FLOATS), r.faults().toString());
    }

    @Test
    void aFaultyZeroPointIsFound() {
        Path out = made("autoawq", AuditedModels.ints(4, false, Granularity.perGroup(64)));
        String layer = "model.layers.1.self_attn.v_proj";
        // One zero point of one group of one channel, one more or less.
        AuditedModels.edit(out, layer + ".qzeros", b -> b[5] = (byte) ((b[5] & 15) == 15 ? b[5] - 1 : b[5] + 1));
        Finding f = onlyFault(audit(out), Finding.Rule.ZERO_POINT, layer, "the zero point is one too ", "in 1 of 128 ranges: row ");
        assertTrue(f.message().contains(", group 0"), f.message());
    }

    @Test
    void zeroPointsOfTheOtherVersionAreFound() {
        Path out = made("gptq", AuditedModels.ints(4, true, Granularity.perGroup(64)));
        // Version 2 stores 8 where version 1 stores 7.
        AuditedModels.edit(out, "model.layers.0.mlp.up_proj.qzeros", b -> java.util.Arrays.fill(b, (byte) 0x88));
        AuditReport r = audit(out);
        assertEquals(2, r.faults().size(), r.faults().toString());
        assertTrue(r.faults().stream().allMatch(f -> f.where().equals("model.layers.0.mlp.up_proj")));
        assertTrue(r.faults().getFirst().message().contains("checkpoint_format gptq stores zero - 1"), r.faults().toString());
        assertTrue(r.faults().getLast().message().contains("the zero points are one too large"), r.faults().toString());
    }

    /** A group size in config.json that the scales contradict: runs refuse, the audit tells and compares all the same. */
    @TestFactory
    Stream<DynamicTest> groupSizesThatLieAreFound() {
        return Stream.of("autoawq", "gptq").map(format -> DynamicTest.dynamicTest(format, () -> {
            Path out = made(format, AuditedModels.ints(4, format.equals("gptq"), Granularity.perGroup(64)));
            Path config = out.resolve("config.json");
            Files.writeString(config, Files.readString(config).replaceAll("\"group_size\" ?: ?64", "\"group_size\": 32"));
            AuditReport r = audit(out);
            assertEquals(14, r.faults().size());
            assertEquals(14, r.layers().size());
            assertEquals("quantization_config says group_size 32, the scales are of groups of 64", r.faults().getFirst().message());
            BadInput e = org.junit.jupiter.api.Assertions.assertThrows(BadInput.class, () -> HfModel.open(out));
            assertTrue(e.getMessage().contains("it says group_size 32, the scales are of groups of 64 (14 modules: model.layers.0.self_attn.q_proj, "), e.getMessage());
        }));
    }

    @TestFactory
    Stream<DynamicTest> swappedNibblesAreFound() {
        return Stream.of("vllm", "autoawq", "gptq").map(format -> DynamicTest.dynamicTest(format, () -> {
            Path out = made(format, AuditedModels.ints(4, format.equals("vllm"), Granularity.perGroup(64)));
            String layer = "model.layers.0.self_attn.o_proj";
            AuditedModels.edit(out, layer + (format.equals("vllm") ? ".weight_packed" : ".qweight"), AuditedModels::swapNibbles);
            onlyFault(audit(out), Finding.Rule.LAYER, layer, "the nibbles of every byte are exchanged");
        }));
    }

    @Test
    void aDoubledScaleIsFound() {
        Path out = made("vllm", AuditedModels.ints(4, true, Granularity.perGroup(64)));
        String layer = "model.layers.1.mlp.down_proj";
        AuditedModels.edit(out, layer + ".weight_scale", b -> AuditedModels.putShort(b, 2 * 100,
                Conversions.floatToF16(2 * Conversions.f16ToFloat(AuditedModels.getShort(b, 2 * 100)))));
        onlyFault(audit(out), Finding.Rule.SCALE, layer, "the scale is doubled in 1 of 768 ranges: row 16, group 4");
    }

    @Test
    void aScaleOfAWholeLayerIsFound() {
        Path out = made("vllm", AuditedModels.fp8(Granularity.PER_CHANNEL));
        String layer = "model.layers.1.mlp.gate_proj";
        AuditedModels.edit(out, layer + ".weight_scale", b -> {
            for (int i = 0; i < b.length; i += 4) {
                AuditedModels.putFloat(b, i, AuditedModels.getFloat(b, i) * AuditedModels.getFloat(b, i));
            }
        });
        onlyFault(audit(out), Finding.Rule.LAYER, layer, "every scale is taken twice");
    }

    @Test
    void aNaNIsFound() {
        Path out = made("vllm", AuditedModels.fp8(Granularity.PER_CHANNEL));
        AuditedModels.edit(out, "model.layers.0.input_layernorm.weight", b -> AuditedModels.putFloat(b, 4 * 17, Float.NaN));
        AuditReport r = audit(out);
        Finding f = r.faults().getFirst();
        assertEquals(Finding.Rule.NON_FINITE, f.rule());
        assertEquals("model.layers.0.input_layernorm.weight", f.where());
        assertEquals("element 17 of 128 is NaN", f.message());
    }

    @Test
    void aWrongOrderOfGroupsIsFound() {
        QuantScheme s = AuditedModels.ints(4, true, Granularity.perGroup(32));
        Path out = tmp.resolve("m" + count++);
        try (ModelSink sink = Exports.open(Exports.named("gptq"), llama, out, AuditedModels.SHARD, false)) {
            sink.ends(llama.ends());
            for (int i = 0; i < 2; i++) {
                Block b = llama.block(i);
                List<LayerResult> results = new ArrayList<>();
                for (Linear l : b.linears()) {
                    int[] order = new int[l.in()];
                    for (int c = 0; c < order.length; c++) {
                        order[c] = (c * 37 + 5) % order.length;
                    }
                    WeightRounding r = WeightRoundings.permuted(Quantizer.of(s), order);
                    results.add(new LayerResult(llama.blockPrefix(i) + "." + l.name(), l, r.codes(l.weight()), r.fakeQuantize(l.weight()), Optional.of(s), Optional.empty(),
                            Optional.empty(), 0, 0, 4, 0, List.of()));
                }
                sink.block(b, results);
            }
            sink.finish();
        }
        sound(audit(out));
        String layer = "model.layers.0.mlp.down_proj";
        AuditedModels.edit(out, layer + ".g_idx", b -> {
            for (int c = 0; c < b.length / 4; c++) {
                AuditedModels.putInt(b, 4 * c, c / 32);
            }
        });
        onlyFault(audit(out), Finding.Rule.LAYER, layer, "the order of the groups (g_idx) is lost for", "of 384 input channels: input channel 1 is in group 0 and fits group 10");
    }

    @Test
    void exchangedLayersAreFound() {
        Path out = made("vllm", AuditedModels.ints(4, true, Granularity.perGroup(64)));
        List<String> parts = List.of("weight_packed", "weight_scale");
        for (String p : parts) {
            byte[][] both = new byte[2][];
            AuditedModels.edit(out, "model.layers.0.self_attn.k_proj." + p, b -> both[0] = b.clone());
            AuditedModels.edit(out, "model.layers.0.self_attn.v_proj." + p, b -> {
                both[1] = b.clone();
                System.arraycopy(both[0], 0, b, 0, b.length);
            });
            AuditedModels.edit(out, "model.layers.0.self_attn.k_proj." + p, b -> System.arraycopy(both[1], 0, b, 0, b.length));
        }
        AuditReport r = audit(out);
        assertEquals(2, r.faults().size(), r.faults().toString());
        assertTrue(r.faults().get(0).message().contains("it holds the weight of model.layers.0.self_attn.v_proj"), r.faults().toString());
        assertTrue(r.faults().get(1).message().contains("it holds the weight of model.layers.0.self_attn.k_proj"), r.faults().toString());
    }

    @Test
    void aDroppedExpertIsFound() {
        try (HfModel mixtral = FamilyModels.open("mixtral")) {
            Path out = AuditedModels.write(mixtral, "vllm", AuditedModels.ints(4, true, Granularity.perGroup(16)), Optional.empty(), tmp.resolve("m" + count++));
            sound(Audit.run(out, mixtral, Optional.empty(), Audit.Listener.NONE));
            AuditedModels.rewrite(out, n -> !n.startsWith("model.layers.1.block_sparse_moe.experts.2."), Map.of());
            onlyFault(Audit.run(out, mixtral, Optional.empty(), Audit.Listener.NONE), Finding.Rule.NAMES, "model.layers.1", "expert 2 is dropped");
        }
    }

    @Test
    void aZeroedExpertIsFound() {
        try (HfModel mixtral = FamilyModels.open("mixtral")) {
            Path out = AuditedModels.write(mixtral, "vllm", AuditedModels.fp8(Granularity.PER_CHANNEL), Optional.empty(), tmp.resolve("m" + count++));
            String layer = "model.layers.0.block_sparse_moe.experts.3.w2";
            AuditedModels.edit(out, layer + ".weight", b -> java.util.Arrays.fill(b, (byte) 0));
            onlyFault(Audit.run(out, mixtral, Optional.empty(), Audit.Listener.NONE), Finding.Rule.LAYER, layer, "the expert is dropped: all of its weights are zero");
        }
    }

    @Test
    void aStaleShardIsFound() throws IOException {
        Path out = AuditedModels.write(llama, "vllm", l -> Optional.of(AuditedModels.ints(8, true, Granularity.PER_CHANNEL)), Optional.empty(), tmp.resolve("m" + count++), 400_000);
        sound(audit(out));
        Path first;
        try (Stream<Path> files = Files.list(out)) {
            first = files.filter(f -> f.toString().endsWith(".safetensors")).sorted().findFirst().orElseThrow();
        }
        Files.copy(first, out.resolve("model-00001-of-00099.safetensors"));
        onlyFault(audit(out), Finding.Rule.SHARDS, "", "model-00001-of-00099.safetensors", "of another save");
    }

    @Test
    void anUntiedHeadIsFound() {
        try (HfModel qwen = FamilyModels.open("qwen2"); Arena arena = Arena.ofConfined()) {
            Path out = AuditedModels.write(qwen, "vllm", AuditedModels.ints(4, true, Granularity.perGroup(16)), Optional.empty(), tmp.resolve("m" + count++));
            sound(Audit.run(out, qwen, Optional.empty(), Audit.Listener.NONE));
            Tensor e;
            try (SafetensorsFile f = SafetensorsFile.open(out.resolve("model.safetensors"))) {
                Tensor t = f.tensor("model.embed_tokens.weight");
                float[] values = Tensors.toFloats(t);
                values[3] += 1f;
                e = Tensors.fromFloats(DType.F32, t.shape(), values, arena);
            }
            AuditedModels.rewrite(out, n -> true, Map.of("lm_head.weight", e));
            onlyFault(Audit.run(out, qwen, Optional.empty(), Audit.Listener.NONE), Finding.Rule.TIED_HEAD, "lm_head.weight", "tie_word_embeddings");
        }
    }

    @Test
    void listsThatLieAreFound() throws IOException {
        Path out = made("vllm", AuditedModels.ints(4, true, Granularity.perGroup(64)));
        Path config = out.resolve("config.json");
        Files.writeString(config, Files.readString(config).replaceAll("\"ignore\" ?: ?\\[", "\"ignore\": [\"model.layers.7.mlp.up_proj\", \"model.layers.0.mlp.up_proj\", "));
        AuditReport r = audit(out);
        onlyFault(r, Finding.Rule.IGNORE, "ignore", "1 modules are listed as float and stored quantized: model.layers.0.mlp.up_proj");
        assertEquals("entries that match no module: model.layers.7.mlp.up_proj", r.of(Finding.Severity.WARNING).getFirst().message());
    }

    @Test
    void aFloatModelThatIsNotItselfIsFound() {
        Path out = tmp.resolve("m" + count++);
        try (ModelSink sink = Exports.open(Exports.named("fake"), llama, out, AuditedModels.SHARD, false)) {
            RoundedModel.write(llama, sink, l -> Optional.of(AuditedModels.ints(4, true, Granularity.perGroup(64))), Optional.empty(), Optional.empty());
        }
        AuditReport r = audit(out);
        assertTrue(r.sound(), r.findings().toString());
        assertEquals(14, r.of(Finding.Severity.WARNING).size());
    }

    /** A model whose layers were changed before they were rounded. */
    private static Path changed(String format, QuantScheme scheme, java.util.function.Consumer<Block> change) {
        Path out = tmp.resolve("m" + count++);
        try (ModelSink sink = Exports.open(Exports.named(format), llama, out, AuditedModels.SHARD, false)) {
            sink.ends(llama.ends());
            for (int i = 0; i < 2; i++) {
                Block b = llama.block(i);
                change.accept(b);
                sink.block(b, RoundedModel.results(llama, b, l -> Optional.of(scheme), Optional.empty(), Optional.empty()));
            }
            sink.finish();
        }
        return out;
    }

    @TestFactory
    Stream<DynamicTest> layersInAnotherShapeAreFound() {
        Map<String, java.util.function.UnaryOperator<Matrix>> changes = new LinkedHashMap<>();
        changes.put("the weight is transposed", Matrix::transpose);
        changes.put("the whole weight is -1.0 times what it should be", w -> map(w, (r, c) -> -w.get(r, c)));
        changes.put("the output channels are in another order than the original's", w -> map(w, (r, c) -> w.get((r * 5 + 3) % w.rows(), c)));
        changes.put("the input channels are in another order than the original's", w -> map(w, (r, c) -> w.get(r, (c * 7 + 1) % w.cols())));
        changes.put("all of its weights are zero", w -> new Matrix(w.rows(), w.cols()));
        return changes.entrySet().stream().map(e -> DynamicTest.dynamicTest(e.getKey(), () -> {
            Path out = changed("vllm", AuditedModels.ints(4, true, Granularity.perGroup(32)), b -> {
                if (b.index() == 1) {
                    Linear o = b.linear("self_attn.o_proj");
                    o.setWeight(e.getValue().apply(o.weight()));
                }
            });
            onlyFault(audit(out), Finding.Rule.LAYER, "model.layers.1.self_attn.o_proj", e.getKey());
        }));
    }

    private static Matrix map(Matrix like, java.util.function.ToDoubleBiFunction<Integer, Integer> f) {
        Matrix out = new Matrix(like.rows(), like.cols());
        for (int r = 0; r < out.rows(); r++) {
            for (int c = 0; c < out.cols(); c++) {
                out.set(r, c, (float) f.applyAsDouble(r, c));
            }
        }
        return out;
    }

    /** Values divided by a scale that the attention output takes back: with two query heads to a value head, each column twice. */
    @Test
    void scalesBetweenValuesAndOutputAreUndone() {
        Path out = changed("vllm", AuditedModels.ints(4, true, Granularity.perGroup(32)), b -> {
            Linear v = b.linear("self_attn.v_proj");
            Linear o = b.linear("self_attn.o_proj");
            v.setWeight(map(v.weight(), (r, c) -> v.weight().get(r, c) / scale(r)));
            o.setWeight(map(o.weight(), (r, c) -> o.weight().get(r, c) * scale(c / 64 * 32 + c % 32)));
        });
        AuditReport r = sound(audit(out));
        assertEquals(2, r.layers().stream().filter(l -> l.reference().equals("original, scaled with self_attn.v_proj")).count(), r.transforms().toString());
        assertEquals(2, r.layers().stream().filter(l -> l.reference().equals("original, scaled with self_attn.o_proj")).count(), r.transforms().toString());
        assertFalse(r.layers().stream().anyMatch(LayerAudit::worse));
        // A fault in a scaled layer is not taken for part of the scale.
        String layer = "model.layers.0.self_attn.v_proj";
        AuditedModels.edit(out, layer + ".weight_scale", b -> {
            for (int g = 0; g < 4; g++) {
                int at = 2 * (8 * 4 + g);
                AuditedModels.putShort(b, at, Conversions.floatToF16(2 * Conversions.f16ToFloat(AuditedModels.getShort(b, at))));
            }
        });
        onlyFault(audit(out), Finding.Rule.SCALE, layer, "the scale is doubled in 4 of 256 ranges: row 8, group 0; row 8, group 1");
    }

    private static double scale(int channel) {
        return 0.25 + (channel * 11 % 17) / 4.0;
    }

    @Test
    void transposedScalesAreFound() {
        Path out = made("vllm", AuditedModels.ints(4, false, Granularity.perGroup(32)));
        String layer = "model.layers.0.mlp.gate_proj";
        AuditedModels.edit(out, layer + ".weight_scale", b -> {
            byte[] was = b.clone();
            for (int r = 0; r < 384; r++) {
                for (int g = 0; g < 4; g++) {
                    System.arraycopy(was, 2 * (r * 4 + g), b, 2 * (g * 384 + r), 2);
                }
            }
        });
        onlyFault(audit(out), Finding.Rule.LAYER, layer, "the scales are transposed (the zero points are not)");
    }

    @Test
    void scalesThatUnderflowAreFound() {
        Path out = made("gptq", AuditedModels.ints(4, true, Granularity.perGroup(64)));
        AuditedModels.edit(out, "model.layers.0.mlp.up_proj.scales", b -> {
            AuditedModels.putShort(b, 0, (short) 0);
            AuditedModels.putShort(b, 2, (short) 3);
        });
        AuditReport r = audit(out);
        assertTrue(r.faults().stream().anyMatch(f -> f.rule() == Finding.Rule.SCALE && f.message().startsWith("1 of 768 scales are zero where the original's weights are not")),
                r.findings().toString());
        assertTrue(r.of(Finding.Severity.WARNING).stream().anyMatch(f -> f.rule() == Finding.Rule.SCALE && f.message().startsWith("1 of 768 scales are subnormal")),
                r.findings().toString());
    }

    @Test
    void unusedLevelsAreTold() {
        QuantScheme eight = AuditedModels.ints(8, true, Granularity.PER_CHANNEL);
        Quantizer coarse = Quantizer.of(AuditedModels.ints(4, true, Granularity.PER_CHANNEL));
        Path out = changed("gptq_v2", eight, b -> b.linears().forEach(l -> l.setWeight(coarse.fakeQuantize(l.weight()))));
        AuditReport r = audit(out);
        assertTrue(r.of(Finding.Severity.WARNING).stream().anyMatch(f -> f.rule() == Finding.Rule.LEVELS && f.message().contains("rounded with fewer bits")), r.findings().toString());
    }
}
