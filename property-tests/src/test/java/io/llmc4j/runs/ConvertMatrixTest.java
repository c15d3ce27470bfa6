package io.llmc4j.runs;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.formats.convert.Conversion;
import io.llmc4j.formats.convert.Converter;
import io.llmc4j.formats.export.Exports;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.golden.GoldenModels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Every format into every other: which conversions are exact, and that the others are refused without a trace. */
class ConvertMatrixTest {

    private static final List<String> TO = List.of("vllm", "gptq_v2", "autoawq", "mlx", "hqq", "lightx2v", "fake", "gguf:F32");

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

    private record Source(String format, Optional<QuantScheme> weight, Optional<QuantScheme> activation) {
        static Source of(String format, QuantScheme weight) {
            return new Source(format, Optional.of(weight), Optional.empty());
        }
    }

    private static Map<String, Source> sources() {
        Granularity g64 = Granularity.perGroup(64);
        QuantScheme sym = AuditedModels.ints(4, true, g64);
        QuantScheme asym = AuditedModels.ints(4, false, g64);
        QuantScheme w8 = AuditedModels.ints(8, true, Granularity.PER_CHANNEL);
        Map<String, Source> m = new LinkedHashMap<>();
        m.put("float32", new Source("trans", Optional.empty(), Optional.empty()));
        m.put("vllm w4", Source.of("vllm", sym));
        m.put("vllm w3", Source.of("vllm", AuditedModels.ints(3, true, g64)));
        m.put("vllm w8a8", new Source("vllm", Optional.of(w8), Optional.of(AuditedModels.ints(8, true, Granularity.PER_TOKEN))));
        m.put("gptq_v2 w4 asym", Source.of("gptq_v2", asym));
        m.put("mlx w4", Source.of("mlx", asym));
        m.put("bnb-nf4", Source.of("bnb-nf4", sym));
        m.put("bnb-int8", Source.of("bnb-int8", w8));
        return m;
    }

    /** Formats that a source becomes exactly. */
    @Test
    void exactConversions() {
        Map<String, List<String>> want = new TreeMap<>();
        want.put("float32", List.of("fake", "gguf:F32"));
        want.put("vllm w4", List.of("vllm", "gptq_v2", "autoawq", "mlx", "hqq", "fake", "gguf:F32"));
        want.put("vllm w3", List.of("vllm", "gptq_v2", "mlx", "hqq", "fake", "gguf:F32"));
        // Rounded inputs go only where a format says so.
        want.put("vllm w8a8", List.of("vllm", "lightx2v"));
        // An offset of MLX's is a product that half floats round.
        want.put("gptq_v2 w4 asym", List.of("vllm", "gptq_v2", "autoawq", "hqq", "fake", "gguf:F32"));
        want.put("mlx w4", List.of("mlx", "fake", "gguf:F32"));
        want.put("bnb-nf4", List.of("fake", "gguf:F32"));
        want.put("bnb-int8", List.of("lightx2v", "fake", "gguf:F32"));
        Map<String, List<String>> got = new TreeMap<>();
        sources().forEach((name, s) -> {
            Path in = tmp.resolve(name.replace(' ', '-'));
            AuditedModels.write(llama, s.format(), l -> s.weight(), s.activation(), in, AuditedModels.SHARD);
            try (HfModel m = HfModel.open(in)) {
                got.put(name, TO.stream().filter(to -> exact(m, to, tmp.resolve(name.replace(' ', '-') + "-" + to.replace(':', '-')))).toList());
            }
        });
        assertEquals(String.join("\n", want.toString().split("], ")), String.join("\n", got.toString().split("], ")));
    }

    /** Codes of groups of 32 are Q4_0's own, and what keeps the model from being the same is named: embedding and head. */
    @Test
    void whatGgufWouldRoundIsNamed() {
        Path in = AuditedModels.write(llama, "vllm", AuditedModels.ints(4, true, Granularity.perGroup(32)), Optional.empty(), tmp.resolve("g32"));
        Path out = tmp.resolve("g32-q4");
        try (HfModel m = HfModel.open(in)) {
            BadInput e = assertThrows(BadInput.class, () -> new Converter(m, Exports.named("gguf:Q4_0")).convert(out, false, false));
            assertTrue(e.getMessage().contains("gguf:Q4_0 rounds its weights (2 modules: model.embed_tokens.weight, lm_head.weight); relative error up to 0.0"), e.getMessage());
            assertFalse(Files.exists(out));
            Conversion c = new Converter(m, Exports.named("gguf:Q4_0")).convert(out, true, false);
            assertEquals(List.of(), c.differences());
            assertEquals(2, c.changes().size());
            assertTrue(c.changes().stream().allMatch(x -> x.relative() > 0.001 && x.relative() < 0.1), c.changes().toString());
        }
    }

    private static boolean exact(HfModel m, String to, Path out) {
        try {
            Conversion c = new Converter(m, Exports.named(to)).convert(out, false, false);
            assertEquals(List.of(), c.changes());
            assertEquals(List.of(), c.differences(), to);
            return true;
        } catch (BadInput e) {
            assertEquals(BadInput.Common.FORMAT, e.kind(), e.getMessage());
            assertTrue(e.getMessage().contains("cannot become " + to + " without loss"), e.getMessage());
            assertFalse(Files.exists(out));
            return false;
        }
    }
}
