package io.llmc4j.runs;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.pipeline.ModelSink;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.safetensors.SafetensorsFile;
import io.llmc4j.formats.convert.Conversion;
import io.llmc4j.formats.convert.Converter;
import io.llmc4j.formats.export.Exports;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.golden.GoldenModels;
import io.llmc4j.golden.RoundedModel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Between formats: the same codes there and back, or a refusal that says what would be lost. */
class ConvertTest {

    private static final QuantScheme W4_ASYM = QuantScheme.integer(4, false, Granularity.perGroup(64));
    private static final QuantScheme W8_CHANNEL = QuantScheme.integer(8, true, Granularity.PER_CHANNEL);

    @TempDir
    static Path tmp;
    private static Path source;

    @BeforeAll
    static void unpack() {
        source = GoldenModels.llama(tmp);
    }

    @Test
    void thereAndBackGivesTheSameBytes() {
        Path awq = write("autoawq", W4_ASYM, Optional.empty());
        Path gptq = convert(awq, "gptq_v2", "gptq");
        Path vllm = convert(gptq, "vllm", "vllm");
        Path back = convert(vllm, "autoawq", "back");
        assertFalse(Files.exists(vllm.resolve("quantize_config.json")), "it would speak of GPTQ");
        try (SafetensorsFile a = SafetensorsFile.open(awq.resolve("model.safetensors")); SafetensorsFile b = SafetensorsFile.open(back.resolve("model.safetensors"))) {
            assertEquals(a.entries(), b.entries());
            for (String n : a.names()) {
                assertEquals(-1, a.tensor(n).bytes().mismatch(b.tensor(n).bytes()), n);
            }
        }
    }

    @Test
    void symmetricCodesTakeAZeroPointOfEight() {
        Path vllm = write("vllm", QuantScheme.integer(4, true, Granularity.perGroup(64)), Optional.empty());
        convert(vllm, "autoawq", "sym-awq");
        convert(vllm, "gptq", "sym-gptq");
    }

    @Test
    void lossIsRefusedByName() {
        Path w8a8 = write("compressed-tensors", W8_CHANNEL, Optional.of(QuantScheme.integer(8, true, Granularity.PER_TOKEN)));
        try (HfModel m = HfModel.open(w8a8)) {
            BadInput e = assertThrows(BadInput.class, () -> new Converter(m, Exports.named("gptq")).convert(tmp.resolve("no"), false, false));
            assertEquals(BadInput.Common.FORMAT, e.kind());
            assertTrue(e.getMessage().contains("the rounding of its inputs is not carried (14 modules: model.layers.0.self_attn.q_proj"), e.getMessage());
            assertTrue(e.getMessage().contains("scales or zero points"), e.getMessage());
            assertTrue(e.getMessage().contains("--requantize"), e.getMessage());
            assertFalse(Files.exists(tmp.resolve("no")));
            BadInput f = assertThrows(BadInput.class, () -> new Converter(m, Exports.named("autoawq")).convert(tmp.resolve("no"), false, false));
            assertTrue(f.getMessage().contains("AutoAWQ holds 4-bit integers"), f.getMessage());
        }
    }

    @Test
    void requantizeSaysWhatItDid() {
        Path w8a8 = write("lightllm", W8_CHANNEL, Optional.of(QuantScheme.integer(8, true, Granularity.PER_TOKEN)));
        try (HfModel m = HfModel.open(w8a8)) {
            Conversion c = new Converter(m, Exports.named("autoawq")).convert(tmp.resolve("rounded"), true, false);
            assertEquals(List.of(), c.differences());
            double worst = c.changes().stream().filter(x -> x.what().contains("weights are rounded")).mapToDouble(Conversion.Change::relative).max().orElse(0);
            assertTrue(worst > 0.02 && worst < 0.3, "4 bits from 8: " + worst);
        }
        try (HfModel back = HfModel.open(tmp.resolve("rounded"))) {
            assertTrue(back.weightReader().isPresent());
        }
    }

    private static Path write(String format, QuantScheme w, Optional<QuantScheme> a) {
        Path out = tmp.resolve("in-" + format);
        try (HfModel model = HfModel.open(source); ModelSink sink = Exports.open(Exports.named(format), model, out, 5_000_000_000L, false)) {
            RoundedModel.write(model, sink, l -> Optional.of(w), a, Optional.empty());
        }
        return out;
    }

    private static Path convert(Path in, String format, String name) {
        Path out = tmp.resolve(name);
        try (HfModel m = HfModel.open(in)) {
            Conversion c = new Converter(m, Exports.named(format)).convert(out, false, false);
            assertEquals(List.of(), c.changes());
            assertEquals(List.of(), c.differences());
        }
        return out;
    }
}
