package io.llmc4j.runs;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.Role;
import io.llmc4j.engine.pipeline.LayerResult;
import io.llmc4j.engine.pipeline.ModelSink;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.QuantizedMatrix;
import io.llmc4j.engine.quant.Quantizer;
import io.llmc4j.engine.quant.WeightRounding;
import io.llmc4j.engine.quant.WeightRoundings;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.formats.export.Exports;
import io.llmc4j.formats.export.PlannedLayer;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.golden.GoldenModels;
import io.llmc4j.golden.RoundedModel;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** Directories in every format, opened again as models: their weights are what the run computed. */
class ExportRoundTripTest {

    private static final long SHARD = 5_000_000_000L;

    @TempDir
    static Path tmp;
    private static Path source;
    private int count;

    private record Case(String format, QuantScheme weight, Optional<QuantScheme> activation, Optional<Float> inputScale) { }

    @BeforeAll
    static void unpack() {
        source = GoldenModels.llama(tmp);
    }

    private static QuantScheme ints(int bits, boolean symmetric, Granularity g) {
        return QuantScheme.integer(bits, symmetric, g);
    }

    private static QuantScheme fp8(Granularity g) {
        return QuantScheme.floating("e4m3", NumberFormat.Float.Path.NEAREST_EVEN, g);
    }

    private static Map<String, Case> cases() {
        Granularity g64 = Granularity.perGroup(64);
        Granularity channel = Granularity.PER_CHANNEL;
        Optional<QuantScheme> none = Optional.empty();
        Optional<QuantScheme> int8 = Optional.of(ints(8, true, Granularity.PER_TOKEN));
        Optional<QuantScheme> int8Static = Optional.of(ints(8, true, Granularity.PER_TENSOR).withStatic(true));
        Optional<QuantScheme> fp8Token = Optional.of(fp8(Granularity.PER_TOKEN));
        Optional<QuantScheme> fp8Static = Optional.of(fp8(Granularity.PER_TENSOR).withStatic(true));
        Optional<Float> no = Optional.empty();
        Map<String, Case> c = new LinkedHashMap<>();
        for (int bits : new int[]{2, 3, 4, 8}) {
            for (boolean sym : new boolean[]{true, false}) {
                c.put("gptq w" + bits + (sym ? " sym" : " asym"), new Case("gptq", ints(bits, sym, g64), none, no));
                c.put("vllm w" + bits + (sym ? " sym" : " asym"), new Case("vllm", ints(bits, sym, g64), none, no));
            }
        }
        c.put("gptq_v2 w4 per channel", new Case("gptq_v2", ints(4, true, channel), none, no));
        c.put("compressed-tensors w5", new Case("compressed-tensors", ints(5, false, channel), none, no));
        c.put("vllm w4a8", new Case("vllm", ints(4, true, g64), int8, no));
        c.put("vllm w8a8 static", new Case("vllm", ints(8, true, channel), int8Static, Optional.of(0.0123f)));
        c.put("vllm w8a8 tensor", new Case("vllm", ints(8, true, Granularity.PER_TENSOR), int8, no));
        c.put("compressed-tensors w8a8 asym", new Case("compressed-tensors", ints(8, false, channel), int8, no));
        c.put("vllm fp8 channel", new Case("vllm", fp8(channel), fp8Token, no));
        c.put("vllm fp8 static", new Case("vllm", fp8(Granularity.PER_TENSOR), fp8Static, Optional.of(0.02f)));
        c.put("vllm fp8 tensor", new Case("vllm", fp8(Granularity.PER_TENSOR), fp8Token, no));
        c.put("sglang fp8 block", new Case("sglang", fp8(Granularity.perBlock(64)), Optional.of(fp8(g64)), no));
        c.put("compressed-tensors fp8 block", new Case("compressed-tensors", fp8(Granularity.perBlock(48, 80)), Optional.of(fp8(g64)), no));
        c.put("compressed-tensors nvfp4", new Case("compressed-tensors", QuantScheme.nvfp4(), none, no));
        c.put("vllm mxfp4", new Case("vllm", QuantScheme.microscaling("e2m1"), none, no));
        c.put("vllm mxfp8", new Case("vllm", QuantScheme.microscaling("e4m3"), none, no));
        c.put("lightllm w8a8", new Case("lightllm", ints(8, true, channel), int8, no));
        c.put("autoawq", new Case("autoawq", ints(4, false, g64), none, no));
        c.put("autoawq per channel", new Case("autoawq", ints(4, false, channel), none, no));
        c.put("mlcllm", new Case("mlcllm", ints(4, false, g64), none, no));
        c.put("lightx2v int8", new Case("lightx2v", ints(8, true, channel), int8, no));
        c.put("lightx2v fp8", new Case("lightx2v", fp8(channel), fp8Token, no));
        for (int bits : new int[]{2, 3, 5, 6, 8}) {
            c.put("mlx w" + bits, new Case("mlx", ints(bits, bits == 5, g64), none, no));
        }
        c.put("mlx w4 g32", new Case("mlx", ints(4, false, Granularity.perGroup(32)), none, no));
        for (int bits : new int[]{1, 2, 3, 4, 8}) {
            c.put("hqq w" + bits, new Case("hqq", ints(bits, false, g64), none, no));
        }
        c.put("hqq w4 real zeros", new Case("hqq", ints(4, false, channel).withRoundZeroPoint(false), none, no));
        c.put("bnb-int8", new Case("bnb-int8", ints(8, true, channel), int8, no));
        c.put("bnb-nf4", new Case("bnb-nf4", ints(4, true, g64), none, no));
        c.put("bnb-fp4", new Case("bnb-fp4", ints(4, true, g64), none, no));
        c.put("fake", new Case("fake", ints(4, false, g64), none, no));
        return c;
    }

    @TestFactory
    Stream<DynamicTest> everyFormat() {
        return cases().entrySet().stream().map(e -> DynamicTest.dynamicTest(e.getKey(), () -> roundTrip(e.getValue())));
    }

    private void roundTrip(Case c) {
        Path out = tmp.resolve("out" + count++);
        try (HfModel model = HfModel.open(source)) {
            Exports.check(Exports.named(c.format), planned(model, c));
            try (ModelSink sink = Exports.open(Exports.named(c.format), model, out, SHARD, false)) {
                RoundedModel.write(model, sink, l -> Optional.of(c.weight), c.activation, c.inputScale);
                assertEquals(List.of(), sink.verify());
            }
            try (HfModel back = HfModel.open(out)) {
                for (Linear l : back.block(1).linears()) {
                    Matrix want = Quantizer.of(c.weight).fakeQuantize(model.block(1).linear(l.name()).weight());
                    if (c.format.startsWith("bnb-") && !c.format.endsWith("int8")) {
                        continue; // rounded by the format itself; held to the library's values elsewhere
                    }
                    double slack = c.format.equals("mlx") || !c.weight.roundZeroPoint() ? 0x1p-9 * step(want) : 0;
                    close(want, l.weight(), 0x1.1p-11, slack, l.name());
                }
                c.inputScale.ifPresent(s -> assertEquals(s, io.llmc4j.engine.tensor.Tensors.getFloat(back.store().get("model.layers.1.mlp.up_proj.input_scale"), 0)));
            }
        }
    }

    /** More than the largest magnitude: biases and real-valued zero points are rounded to half precision too. */
    private static double step(Matrix m) {
        double max = 0;
        for (float v : m.data()) {
            max = Math.max(max, Math.abs(v));
        }
        return max;
    }

    private static void close(Matrix want, Matrix got, double relative, String where) {
        close(want, got, relative, 0, where);
    }

    private static void close(Matrix want, Matrix got, double relative, double slack, String where) {
        for (int i = 0; i < want.data().length; i++) {
            double d = Math.abs(want.data()[i] - got.data()[i]);
            assertTrue(d <= Math.abs(want.data()[i]) * relative + slack, where + "[" + i + "]: " + got.data()[i] + ", expected " + want.data()[i]);
        }
    }

    private static List<PlannedLayer> planned(HfModel model, Case c) {
        List<PlannedLayer> out = new ArrayList<>();
        for (int i = 0; i < model.spec().blocks(); i++) {
            for (Linear l : model.block(i).linears()) {
                out.add(new PlannedLayer(model.blockPrefix(i) + "." + l.name(), l.role(), l.out(), l.in(), Optional.of(c.weight), c.activation, false, ""));
            }
        }
        return out;
    }

    @Test
    void shardsAreNamedAndIndexed() {
        Path out = tmp.resolve("sharded");
        try (HfModel model = HfModel.open(source); ModelSink sink = Exports.open(Exports.named("trans"), model, out, 300_000, false)) {
            ModelSink.Written w = RoundedModel.write(model, sink, l -> Optional.empty(), Optional.empty(), Optional.empty());
            assertEquals(List.of(), sink.verify());
            long shards = w.files().stream().filter(f -> f.name().matches("model-\\d{5}-of-\\d{5}\\.safetensors")).count();
            assertTrue(shards > 3, w.files().toString());
            assertTrue(Files.exists(out.resolve(String.format("model-%05d-of-%05d.safetensors", shards, shards))));
            assertFalse(Files.exists(out.resolveSibling(".sharded.partial")));
        }
    }

    @Test
    void mixedSchemesAndFloatLayersAreNamed() throws IOException {
        Path out = tmp.resolve("mixed");
        QuantScheme four = ints(4, true, Granularity.perGroup(64));
        QuantScheme eight = ints(8, true, Granularity.PER_CHANNEL);
        try (HfModel model = HfModel.open(source); ModelSink sink = Exports.open(Exports.named("compressed-tensors"), model, out, SHARD, false)) {
            RoundedModel.write(model, sink, l -> l.role() == Role.O ? Optional.empty() : Optional.of(l.role() == Role.DOWN ? eight : four), Optional.empty(), Optional.empty());
            assertEquals(List.of(), sink.verify());
        }
        JsonNode q = new ObjectMapper().readTree(out.resolve("config.json").toFile()).get("quantization_config");
        assertEquals("[\"lm_head\",\"model.layers.0.self_attn.o_proj\",\"model.layers.1.self_attn.o_proj\"]", q.get("ignore").toString());
        assertEquals("pack-quantized", q.get("format").asText());
        assertEquals("[\"model.layers.0.mlp.down_proj\",\"model.layers.1.mlp.down_proj\"]", q.at("/config_groups/group_1/targets").toString());
        assertEquals(8, q.at("/config_groups/group_1/weights/num_bits").asInt());
    }

    @TestFactory
    Stream<DynamicTest> actOrder() {
        return Stream.of("gptq", "vllm").map(f -> DynamicTest.dynamicTest(f, () -> {
            Path out = tmp.resolve("order-" + f);
            try (HfModel model = HfModel.open(source); ModelSink sink = Exports.open(Exports.named(f), model, out, SHARD, false)) {
                sink.ends(model.ends());
                Map<String, Matrix> want = new LinkedHashMap<>();
                for (int i = 0; i < model.spec().blocks(); i++) {
                    Block b = model.block(i);
                    List<LayerResult> results = new ArrayList<>();
                    for (Linear l : b.linears()) {
                        QuantScheme s = ints(4, true, Granularity.perGroup(32));
                        WeightRounding r = WeightRoundings.permuted(Quantizer.of(s), permutation(l.in()));
                        QuantizedMatrix q = r.codes(l.weight()).orElseThrow();
                        want.put(i + l.name(), r.fakeQuantize(l.weight()));
                        results.add(new LayerResult(model.blockPrefix(i) + "." + l.name(), l, Optional.of(q), want.get(i + l.name()), Optional.of(s), Optional.empty(),
                                Optional.empty(), 0, 0, 4, 0, List.of()));
                    }
                    sink.block(b, results);
                }
                sink.finish();
                assertEquals(List.of(), sink.verify());
                try (HfModel back = HfModel.open(out)) {
                    for (Linear l : back.block(1).linears()) {
                        close(want.get(1 + l.name()), l.weight(), 0x1.1p-11, l.name());
                    }
                }
            }
        }));
    }

    private static int[] permutation(int n) {
        int[] p = new int[n];
        Random random = new Random(7);
        for (int i = 0; i < n; i++) {
            int j = random.nextInt(i + 1);
            p[i] = p[j];
            p[j] = i;
        }
        return p;
    }

    @Test
    void damageIsFound() throws IOException {
        Path out = tmp.resolve("damaged");
        try (HfModel model = HfModel.open(source); ModelSink sink = Exports.open(Exports.named("vllm"), model, out, SHARD, false)) {
            RoundedModel.write(model, sink, l -> Optional.of(ints(4, true, Granularity.perGroup(64))), Optional.empty(), Optional.empty());
            try (RandomAccessFile f = new RandomAccessFile(out.resolve("model.safetensors").toFile(), "rw")) {
                f.seek(f.length() - 1);
                int b = f.read();
                f.seek(f.length() - 1);
                f.write(b ^ 1);
            }
            List<String> found = sink.verify();
            assertFalse(found.isEmpty());
            assertTrue(found.getFirst().contains("model.layers."), found.toString());
        }
    }

    /** What the run computed with is not what the codes say: the check must tell, whoever is to blame. */
    @Test
    void codesThatAreNotTheRunsAreFound() {
        Path out = tmp.resolve("wrong");
        QuantScheme s = ints(4, true, Granularity.perGroup(64));
        try (HfModel model = HfModel.open(source); ModelSink sink = Exports.open(Exports.named("vllm"), model, out, SHARD, false)) {
            sink.ends(model.ends());
            for (int i = 0; i < 2; i++) {
                List<LayerResult> results = new ArrayList<>(RoundedModel.results(model, model.block(i), l -> Optional.of(s), Optional.empty(), Optional.empty()));
                results.getFirst().fake().data()[5] += 0.01f;
                sink.block(model.block(i), results);
            }
            sink.finish();
            List<String> found = sink.verify();
            assertEquals(2, found.size(), found.toString());
            assertTrue(found.getFirst().startsWith("model.layers.0.self_attn.q_proj: the codes as they are stored give"), found.getFirst());
        }
    }

    @Test
    void nothingAppearsWithoutFinish() throws IOException {
        Path out = tmp.resolve("unfinished");
        try (HfModel model = HfModel.open(source); ModelSink sink = Exports.open(Exports.named("fake"), model, out, SHARD, false)) {
            sink.ends(model.ends());
            assertFalse(Files.exists(out));
        }
        try (Stream<Path> left = Files.list(tmp)) {
            assertEquals(List.of(), left.filter(p -> p.getFileName().toString().contains("unfinished")).toList());
        }
    }

    @Test
    void outputRules() throws IOException {
        try (HfModel model = HfModel.open(source)) {
            assertKind(BadInput.Common.OUTPUT, () -> Exports.open(Exports.named("fake"), model, source, SHARD, true));
            Path full = Files.createDirectory(tmp.resolve("full"));
            Files.writeString(full.resolve("keep"), "me");
            assertKind(BadInput.Common.OUTPUT, () -> Exports.open(Exports.named("fake"), model, full, SHARD, false));
            try (ModelSink sink = Exports.open(Exports.named("fake"), model, full, SHARD, true)) {
                assertTrue(Files.exists(full.resolve("keep")));
                RoundedModel.write(model, sink, l -> Optional.empty(), Optional.empty(), Optional.empty());
                assertFalse(Files.exists(full.resolve("keep")));
                assertTrue(Files.exists(full.resolve("config.json")));
            }
        }
    }

    @Test
    void rulesNameEveryLayerAndWhoCouldCarryIt() {
        try (HfModel model = HfModel.open(source)) {
            Case c = new Case("autoawq", ints(4, true, Granularity.perGroup(64)), Optional.empty(), Optional.empty());
            BadInput e = assertKind(BadInput.Common.FORMAT, () -> Exports.check(Exports.named("autoawq"), planned(model, c)));
            assertTrue(e.getMessage().contains("14 layers"), e.getMessage());
            assertTrue(e.getMessage().contains("model.layers.1.mlp.down_proj"), e.getMessage());
            assertTrue(e.getMessage().contains("symmetric weights: it takes asymmetric ones"), e.getMessage());
            assertTrue(e.getMessage().contains("these can: trans, fake, vllm"), e.getMessage());
        }
    }

    private static BadInput assertKind(BadInput.Kind kind, Runnable r) {
        BadInput e = org.junit.jupiter.api.Assertions.assertThrows(BadInput.class, r::run);
        assertEquals(kind, e.kind());
        return e;
    }
}
