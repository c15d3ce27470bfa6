package io.llmc4j.runs;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.calibrate.CalibrationSet;
import io.llmc4j.engine.model.AttentionSpec;
import io.llmc4j.engine.model.Decoder;
import io.llmc4j.engine.model.ForwardHooks;
import io.llmc4j.engine.model.Hidden;
import io.llmc4j.engine.model.KvCache;
import io.llmc4j.engine.pipeline.BlockFold;
import io.llmc4j.engine.pipeline.KvCacheScheme;
import io.llmc4j.engine.pipeline.ModelSink;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.pipeline.RunListener;
import io.llmc4j.engine.pipeline.SchemePlan;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.RangeRule;
import io.llmc4j.engine.safetensors.SafetensorsFile;
import io.llmc4j.engine.tensor.Tensors;
import io.llmc4j.formats.convert.Conversion;
import io.llmc4j.formats.convert.Converter;
import io.llmc4j.formats.export.Exports;
import io.llmc4j.formats.hf.CacheScales;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.golden.GoldenModels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Scales of a static cache: from the fold into compressed-tensors, back, through a conversion, and refused where they have no place. */
class CacheScalesTest {

    private static final QuantScheme E4M3 = QuantScheme.floating("e4m3", NumberFormat.Float.Path.EMULATED, Granularity.PER_TENSOR)
            .withRange(new RangeRule.StaticMinMax()).withStatic(true);
    private static final int[][] WINDOW = {{3, 17, 255, 4, 90, 91, 7, 500, 12, 12, 301, 44}};

    @TempDir
    static Path tmp;
    private static HfModel llama;

    @BeforeAll
    static void open() {
        llama = HfModel.open(GoldenModels.llama(tmp));
    }

    @AfterAll
    static void close() {
        llama.close();
    }

    private static Path run(String format, QuantScheme cache, Path out) {
        RunConfig config = RunConfig.of("RTN", Map.of(), SchemePlan.of(QuantScheme.integer(8, true, Granularity.PER_CHANNEL),
                QuantScheme.integer(8, true, Granularity.PER_TENSOR).withRange(new RangeRule.StaticMinMax()).withStatic(true)))
                .withCalibration(new CalibrationSet("one window", WINDOW, 1, WINDOW[0].length)).withKvCache(new KvCacheScheme("Naive", cache, 0));
        try (ModelSink sink = Exports.open(Exports.named(format), llama, out, AuditedModels.SHARD, false)) {
            new BlockFold(llama, config, List.of(sink), RunListener.NONE).run();
            assertEquals(List.of(), sink.verify());
        }
        return out;
    }

    private static List<CacheScales> scales(Path directory) {
        try (HfModel m = HfModel.open(directory)) {
            return java.util.stream.IntStream.range(0, 2).mapToObj(i -> m.layout(i).modules().stream().filter(l -> l.name().endsWith("k_proj"))
                    .flatMap(l -> m.weightReader().orElseThrow().cacheScales(m.module(i, l)).stream()).findFirst().orElseThrow()).toList();
        }
    }

    /** The largest key and value of each block of the float model, seen by a cache of its own. */
    private static float[] largest() {
        float[] out = new float[4];
        KvCache spy = new KvCache() {
            @Override
            public int length(int block) {
                return 0;
            }

            @Override
            public KeysValues append(int block, AttentionSpec spec, KeysValues fresh, int batch) {
                for (float k : fresh.keys().data()) {
                    out[2 * block] = Math.max(out[2 * block], Math.abs(k));
                }
                for (float v : fresh.values().data()) {
                    out[2 * block + 1] = Math.max(out[2 * block + 1], Math.abs(v));
                }
                return fresh;
            }
        };
        Decoder decoder = new Decoder(llama.spec());
        Hidden h = decoder.embed(llama.ends(), WINDOW);
        for (int i = 0; i < 2; i++) {
            h = decoder.block(llama.block(i), h, ForwardHooks.NONE, spy);
        }
        return out;
    }

    /** With one calibration window the scale is its largest magnitude over 448, the largest value of e4m3. */
    @Test
    void e4m3IsWrittenAndReadBack() throws Exception {
        Path out = run("vllm", E4M3, tmp.resolve("e4m3"));
        JsonNode scheme = new ObjectMapper().readTree(out.resolve("config.json").toFile()).at("/quantization_config/kv_cache_scheme");
        assertEquals("float 8 tensor true false", String.join(" ", scheme.get("type").asText(), scheme.get("num_bits").asText(), scheme.get("strategy").asText(),
                scheme.get("symmetric").asText(), scheme.get("dynamic").asText()));
        float[] want = largest();
        List<CacheScales> got = scales(out);
        for (int b = 0; b < 2; b++) {
            assertEquals(want[2 * b] / 448f, got.get(b).keys(), 1e-6f * want[2 * b]);
            assertEquals(want[2 * b + 1] / 448f, got.get(b).values(), 1e-6f * want[2 * b + 1]);
            try (SafetensorsFile f = SafetensorsFile.open(out.resolve("model.safetensors"))) {
                assertArrayEquals(new long[]{1}, f.tensor("model.layers." + b + ".self_attn.k_scale").shape().dims());
                assertEquals(got.get(b).values(), Tensors.toFloats(f.tensor("model.layers." + b + ".self_attn.v_scale"))[0]);
            }
        }
    }

    @Test
    void aConversionCarriesThemOrSaysThatItDoesNot() {
        Path in = run("compressed-tensors", E4M3, tmp.resolve("in"));
        try (HfModel m = HfModel.open(in)) {
            Conversion c = new Converter(m, Exports.named("vllm")).convert(tmp.resolve("converted"), false, false);
            assertEquals(List.of(), c.changes());
            assertEquals(scales(in), scales(tmp.resolve("converted")));
            BadInput e = assertThrows(BadInput.class, () -> new Converter(m, Exports.named("gptq")).convert(tmp.resolve("no"), false, false));
            assertTrue(e.getMessage().contains("the scales of its KV cache are not carried (2 modules: model.layers.0.self_attn.k_proj"), e.getMessage());
        }
    }

    @Test
    void refusedByName() {
        KvCacheScheme integers = new KvCacheScheme("Naive", QuantScheme.integer(8, true, Granularity.PER_TENSOR).withStatic(true), 0);
        Exports.check(Exports.named("compressed-tensors"), List.of(), Optional.of(integers));
        for (String f : List.of("vllm", "gptq", "autoawq", "gguf", "mlx", "bnb-nf4", "lightx2v", "hqq")) {
            BadInput e = assertThrows(BadInput.class, () -> Exports.check(Exports.named(f), List.of(), Optional.of(integers)), f);
            assertTrue(e.getMessage().contains("quant.kvcache: ") && e.getMessage().contains("compressed-tensors"), e.getMessage());
        }
        KvCacheScheme four = new KvCacheScheme("Naive", QuantScheme.integer(4, false, Granularity.PER_TENSOR).withStatic(true), 0);
        assertThrows(BadInput.class, () -> Exports.check(Exports.named("compressed-tensors"), List.of(), Optional.of(four)));
    }

    @Test
    void damagedScalesAreRefused() throws Exception {
        Path out = run("compressed-tensors", E4M3, tmp.resolve("damaged"));
        AuditedModels.edit(out, "model.layers.1.self_attn.v_scale", b -> AuditedModels.putFloat(b, 0, -1f));
        BadInput e = assertThrows(BadInput.class, () -> HfModel.open(out));
        assertEquals("model.layers.1.self_attn.v_scale is F32 [1] with value -1.0; one positive number is expected", e.getMessage());
        AuditedModels.rewrite(out, n -> !n.equals("model.layers.0.self_attn.k_scale"), Map.of());
        BadInput missing = assertThrows(BadInput.class, () -> HfModel.open(out));
        assertEquals(BadInput.Common.FORMAT, missing.kind());
        assertTrue(missing.getMessage().startsWith("model.layers.0.self_attn.k_scale is missing"), missing.getMessage());
        assertTrue(Files.exists(out.resolve("config.json")));
    }
}
