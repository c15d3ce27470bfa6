package io.llmc4j.runs;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.llmc4j.cli.Main;
import io.llmc4j.engine.quant.ScaleFormat;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.formats.hf.StoredModule;
import io.llmc4j.golden.GoldenModels;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** NVFP4, microscaling and FP8 from the command line and from a file: run, written, read back, and worth the same perplexity when read. */
class ScaledFormatsTest {

    @TempDir
    static Path tmp;
    private static Path model;
    private static Path text;

    private static final List<String> EPOCHS = List.of("omniquant", "normtweaking");

    private record Ran(int code, String out, String err) { }

    @BeforeAll
    static void unpack() throws IOException {
        model = GoldenModels.llama(tmp);
        text = tmp.resolve("text.txt");
        Files.writeString(text, "The whale went down into the sea, and the ship that followed it was lost in the fog of the morning.\n".repeat(12));
    }

    private static Ran run(Object... args) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        int code = Main.run(new PrintWriter(out, true), new PrintWriter(err, true), Stream.of(args).map(Object::toString).toArray(String[]::new));
        return new Ran(code, out.toString(), err.toString());
    }

    private static Ran quantize(Path out, String method, String bits, Object... more) {
        List<Object> args = new ArrayList<>(List.of("quantize", model, "-m", method, "-b", bits, "-e", "compressed-tensors", "-o", out, "--calib", text, "--eval", text,
                "--seq-len", 32, "--samples", 4, "--json"));
        if (EPOCHS.contains(method)) {
            args.addAll(List.of("--set", "epochs=2"));
        }
        args.addAll(List.of(more));
        return run(args.toArray());
    }

    private static double evaluated(Path directory) throws IOException {
        Ran r = run("eval", directory, "--data", text, "--seq-len", 32, "--json");
        assertEquals(0, r.code(), r.err());
        return new ObjectMapper().readTree(r.out()).get("perplexity").asDouble();
    }

    @ParameterizedTest(name = "{0} {1}")
    @CsvSource({"rtn, nvfp4, nvfp4-pack-quantized, E4M3_TWO_LEVEL, 4.5", "awq, nvfp4, nvfp4-pack-quantized, E4M3_TWO_LEVEL, 4.5",
        "gptq, nvfp4, nvfp4-pack-quantized, E4M3_TWO_LEVEL, 4.5", "rtn, mxfp4, mxfp4-pack-quantized, E8M0_ROUNDED, 4.25",
        "gptq, mxfp4, mxfp4-pack-quantized, E8M0_ROUNDED, 4.25", "awq, mxfp8, mxfp8-quantized, E8M0_ROUNDED, 8.25",
        "normtweaking, mxfp4, mxfp4-pack-quantized, E8M0_ROUNDED, 4.25", "omniquant, nvfp4, nvfp4-pack-quantized, E4M3_TWO_LEVEL, 4.5",
        "spinquant, mxfp4, mxfp4-pack-quantized, E8M0_ROUNDED, 4.25", "rtn, e4m3, float-quantized, FLOAT, 8.125"})
    void fromTheCommandLine(String method, String bits, String format, ScaleFormat scale, double width) throws IOException {
        Path out = tmp.resolve(method + bits);
        Ran r = quantize(out, method, bits);
        assertEquals(0, r.code(), r.err());
        JsonNode report = new ObjectMapper().readTree(r.out());
        assertEquals(width, report.at("/layers/0/bits").asDouble(), 1e-3, report.at("/layers/0").toString());
        assertEquals(format, new ObjectMapper().readTree(out.resolve("config.json").toFile()).at("/quantization_config/format").asText());
        JsonNode last = report.get("evaluations").get(report.get("evaluations").size() - 1);
        assertEquals("fake_quant", last.get("position").asText());
        double ppl = (last.has("perplexity") ? last.get("perplexity") : last.get("value")).asDouble();
        assertEquals(ppl, evaluated(out), 1e-5 * ppl);
        try (HfModel m = HfModel.open(out)) {
            StoredModule q = m.module(0, m.layout(0).modules().getFirst());
            assertEquals(scale, m.codes(q).orElseThrow().scheme().scaleFormat());
        }
    }

    @Test
    void e4m3Activations() throws IOException {
        Path out = tmp.resolve("w8a8");
        Ran r = quantize(out, "rtn", "e4m3", "-a", "e4m3");
        assertEquals(0, r.code(), r.err());
        JsonNode q = new ObjectMapper().readTree(out.resolve("config.json").toFile()).get("quantization_config");
        assertEquals("float-quantized", q.get("format").asText());
        assertEquals("float 8 token true", String.join(" ", q.at("/config_groups/group_0/input_activations/type").asText(),
                q.at("/config_groups/group_0/input_activations/num_bits").asText(), q.at("/config_groups/group_0/input_activations/strategy").asText(),
                q.at("/config_groups/group_0/input_activations/dynamic").asText()));
        assertTrue(evaluated(out) > 1);
    }

    /** Four bits on both sides, as a model that computes what such hardware would; with a transformation, since outliers are what it is for. */
    @ParameterizedTest
    @ValueSource(strings = {"rtn", "smoothquant", "gptq"})
    void nvfp4OnBothSides(String method) throws IOException {
        Path out = tmp.resolve("w4a4" + method);
        Ran r = run("quantize", model, "-m", method, "-b", "nvfp4", "-a", "nvfp4", "-e", "fake", "-o", out, "--calib", text, "--eval", text, "--seq-len", 32, "--samples", 4,
                "--json");
        assertEquals(0, r.code(), r.err());
        JsonNode values = new ObjectMapper().readTree(r.out()).get("evaluations");
        double before = values.get(0).get("value").asDouble();
        double after = values.get(1).get("value").asDouble();
        assertTrue(after != before && after < 1.3 * before, before + " became " + after);
    }

    /** One model with NVFP4, MXFP8 and integers: a group each, under the format mixed-precision. */
    @Test
    void mixedGroupsFromAFile() throws IOException {
        Path out = tmp.resolve("mixed");
        Path yaml = tmp.resolve("mixed.yml");
        Files.writeString(yaml, """
                base: {seed: 1}
                model: {type: Llama, path: %s, torch_dtype: auto}
                quant:
                    method: RTN
                    weight: {bit: nvfp4}
                    mix_bits:
                        setting_0:
                            layer_name: [down_proj]
                            do_quant: True
                            weight: {bit: mxfp8, granularity: per_group, group_size: 32}
                        setting_1:
                            layer_name: [o_proj]
                            do_quant: True
                            weight: {bit: 4, symmetric: True, granularity: per_group, group_size: 64}
                save:
                    save_compressed_tensors: True
                    save_path: %s
                """.formatted(model, out));
        Ran r = run("run", "--config", yaml);
        assertEquals(0, r.code(), r.err());
        Path written = out.resolve("compressed_tensors_model");
        JsonNode q = new ObjectMapper().readTree(written.resolve("config.json").toFile()).get("quantization_config");
        assertEquals("mixed-precision", q.get("format").asText());
        assertEquals(3, q.get("config_groups").size());
        assertEquals(List.of("mxfp8-quantized", "nvfp4-pack-quantized", "pack-quantized"),
                Stream.of(0, 1, 2).map(i -> q.at("/config_groups/group_" + i + "/format").asText()).sorted().toList());
        assertTrue(evaluated(written) > 1);
    }

    /** Learnt clips pay on such grids as on integers: the block's outputs come closer with every epoch. */
    @ParameterizedTest
    @ValueSource(strings = {"mxfp4", "nvfp4"})
    void lossesOfLearntClipsFall(String bits) throws IOException {
        Path out = tmp.resolve("learnt" + bits);
        Ran r = run("quantize", model, "-m", "omniquant", "-b", bits, "-e", "fake", "-o", out, "--calib", text, "--seq-len", 32, "--samples", 4, "--set", "epochs=6",
                "--no-eval", "--json");
        assertEquals(0, r.code(), r.err());
        JsonNode losses = new ObjectMapper().readTree(r.out()).get("losses");
        assertEquals(2, losses.size(), losses.toString());
        losses.forEach(l -> assertTrue(l.get(5).asDouble() < l.get(0).asDouble(), losses.toString()));
    }

    @Test
    void whatContradictsTheNameIsRefused() {
        Path out = tmp.resolve("no");
        assertRefused(quantize(out, "rtn", "nvfp4", "-g", 32), "--group-size: quant.weight.group_size has to be 16 with bit: nvfp4");
        assertRefused(quantize(out, "rtn", "mxfp4", "--asymmetric"), "quant.weight.symmetric has to be True with bit: mxfp4");
        assertRefused(quantize(out, "rtn", "mxfp8", "--per-channel"), "quant.weight.granularity has to be per_group with bit: mxfp8");
        assertRefused(quantize(out, "rtn", "mxfp4", "-a", "nvfp4"), "NVFP4 activations: servers want a calibrated second scale for inputs");
        assertRefused(quantize(out, "gptq", "nvfp4", "--set", "static_groups=false"), "static_groups: True gives none");
        assertRefused(quantize(out, "rtn", "mxfp6_e2m3"), "e2m3 weights: it takes e4m3, and e2m1 in NVFP4 and MXFP4");
        assertRefused(quantize(out, "hqq", "mxfp4"), "quant.weight.round_zp has to be True with bit: mxfp4");
        assertRefused(quantize(out, "tesseraq", "mxfp4"), "TesseraQ: weights: it learns which of two neighbouring integers a weight becomes, and rounds to no e2m1");
    }

    private static void assertRefused(Ran r, String sentence) {
        assertEquals(2, r.code(), r.err());
        assertTrue(r.err().contains(sentence), r.err());
    }
}
