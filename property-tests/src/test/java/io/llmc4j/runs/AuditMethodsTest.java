package io.llmc4j.runs;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.calibrate.CalibrationSet;
import io.llmc4j.engine.evaluate.Evaluation;
import io.llmc4j.engine.pipeline.BlockFold;
import io.llmc4j.engine.pipeline.ModelSink;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.pipeline.RunListener;
import io.llmc4j.engine.pipeline.SchemePlan;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.tensor.Conversions;
import io.llmc4j.formats.audit.Audit;
import io.llmc4j.formats.audit.AuditReport;
import io.llmc4j.formats.audit.Finding;
import io.llmc4j.formats.audit.LayerAudit;
import io.llmc4j.formats.export.Exports;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.golden.GoldenModels;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Methods that change the model before they round it: their output is sound, and what they moved is recognized. */
class AuditMethodsTest {

    private static final QuantScheme FOUR = QuantScheme.integer(4, false, Granularity.perGroup(64));
    private static final QuantScheme EIGHT = QuantScheme.integer(8, true, Granularity.PER_CHANNEL);

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

    private static int[][] windows(int n, int length, int vocabulary, long seed) {
        Random random = new Random(seed);
        int[][] out = new int[n][length];
        for (int[] w : out) {
            for (int t = 0; t < length; t++) {
                w[t] = (int) (vocabulary * random.nextDouble() * random.nextDouble());
            }
        }
        return out;
    }

    private static Path run(String method, Map<String, Object> special, SchemePlan schemes, String format) {
        return run(method, special, schemes, format, false);
    }

    private static Path run(String method, Map<String, Object> special, SchemePlan schemes, String format, boolean quantOut) {
        return run(llama, method, special, schemes, format, quantOut);
    }

    private static Path run(HfModel model, String method, Map<String, Object> special, SchemePlan schemes, String format, boolean quantOut) {
        Path out = tmp.resolve("m" + count++);
        RunConfig config = RunConfig.of(method, special, schemes).withCalibration(new CalibrationSet("random", windows(4, 48, model.spec().vocabularySize(), 1), -1, 48)).withQuantOut(quantOut);
        try (ModelSink sink = Exports.open(Exports.named(format), model, out, AuditedModels.SHARD, false)) {
            new BlockFold(model, config, List.of(sink), RunListener.NONE).run();
            assertEquals(List.of(), sink.verify());
        }
        return out;
    }

    private static AuditReport audit(Path directory) {
        return Audit.run(directory, llama, Optional.empty(), Audit.Listener.NONE);
    }

    private static void sound(AuditReport r) {
        assertTrue(r.sound(), r.findings().toString());
        for (LayerAudit l : r.quantizedLayers()) {
            assertTrue(l.error().relative() < 2 * l.plain().orElseThrow(), l.toString());
        }
    }

    @Test
    void awqIsRecognizedAndAFaultInItIsFound() {
        Path out = run("Awq", Map.of("trans", true, "trans_version", "v2", "weight_clip", true), SchemePlan.of(FOUR), "autoawq");
        AuditReport r = audit(out);
        sound(r);
        assertTrue(r.transforms().stream().anyMatch(t -> t.contains("input_layernorm") || t.contains("post_attention_layernorm")), r.transforms().toString());
        String layer = "model.layers.0.mlp.up_proj";
        AuditedModels.edit(out, layer + ".scales", b -> AuditedModels.putShort(b, 2 * 7, Conversions.floatToF16(2 * Conversions.f16ToFloat(AuditedModels.getShort(b, 2 * 7)))));
        AuditReport broken = audit(out);
        assertEquals(1, broken.faults().size(), broken.faults().toString());
        assertEquals("the scale is doubled in 1 of 768 ranges: row 7, group 0", broken.faults().getFirst().message());
    }

    @Test
    void aNormThatItsReadersDoNotKnowOfIsFound() {
        Path out = run("RTN", Map.of(), SchemePlan.of(FOUR), "autoawq");
        AuditedModels.edit(out, "model.layers.1.input_layernorm.weight", b -> {
            for (int i = 0; i < b.length; i += 4) {
                AuditedModels.putFloat(b, i, AuditedModels.getFloat(b, i) * (i % 8 == 0 ? 2 : 0.5f));
            }
        });
        AuditReport r = audit(out);
        assertEquals(1, r.faults().size(), r.faults().toString());
        assertEquals(Finding.Rule.FLOATS, r.faults().getFirst().rule());
        assertEquals("model.layers.1.input_layernorm", r.faults().getFirst().where());
    }

    @Test
    void smoothQuantIsRecognized() {
        AuditReport r = audit(run("SmoothQuant", Map.of("alpha", 0.8), SchemePlan.of(EIGHT, QuantScheme.integer(8, true, Granularity.PER_TOKEN)), "vllm"));
        sound(r);
        assertTrue(r.transforms().getFirst().contains("input_layernorm and what reads it (6 layers)"), r.transforms().toString());
        assertTrue(r.layers().stream().filter(l -> l.name().endsWith("q_proj")).allMatch(l -> l.reference().equals("original, scaled with input_layernorm")));
    }

    @Test
    void gptqIsSoundThoughWorseThanNearest() {
        AuditReport r = audit(run("GPTQ", Map.of("actorder", true, "static_groups", false, "percdamp", 0.01, "blocksize", 128, "true_sequential", true),
                SchemePlan.of(QuantScheme.integer(3, true, Granularity.perGroup(64))), "gptq", true));
        sound(r);
        assertTrue(r.layers().stream().anyMatch(LayerAudit::worse), r.layers().toString());
    }

    @Test
    void aRotatedStreamIsUndone() {
        AuditReport r = audit(run("QuaRot", Map.of("rotate_mode", "random"), SchemePlan.of(FOUR), "vllm"));
        sound(r);
        assertTrue(r.transforms().getFirst().startsWith("the residual stream is rotated"), r.transforms().toString());
        assertTrue(r.layers().stream().allMatch(l -> l.reference().equals("original, rotated")));
        assertFalse(r.layers().stream().anyMatch(LayerAudit::worse), r.layers().toString());
    }

    @Test
    void bothModelsReadAText() {
        Evaluation text = new Evaluation("random", Evaluation.Kind.PERPLEXITY, windows(2, 32, 512, 2), java.util.EnumSet.of(io.llmc4j.engine.evaluate.Position.PRETRAIN));
        Path out = run("RTN", Map.of(), SchemePlan.of(EIGHT, QuantScheme.integer(8, true, Granularity.PER_TOKEN)), "vllm");
        AuditReport r = Audit.run(out, llama, Optional.of(text), Audit.Listener.NONE);
        assertTrue(r.sound(), r.findings().toString());
        var d = r.data().orElseThrow();
        assertEquals(io.llmc4j.engine.evaluate.Perplexity.of(llama, text, RunConfig.Memory.DEFAULT, RunListener.NONE).value(), d.perplexity(), 1e-4 * d.perplexity());
        try (HfModel q = HfModel.open(out)) {
            assertEquals(io.llmc4j.engine.evaluate.Perplexity.of(q, text, RunConfig.Memory.DEFAULT, RunListener.NONE).value(), d.quantized(), 1e-4 * d.quantized());
        }
        assertEquals(2, d.blockErrors().size());
        assertTrue(d.blockErrors().getFirst() > 0 && d.blockErrors().getLast() < 0.05, d.toString());
        assertTrue(d.agreement() > 0.8 && d.agreement() <= 1 && d.divergence() > 0 && d.divergence() < 0.05, d.toString());
        assertEquals(-1, d.parting());
        // A layer of block 1 gone wrong: the states part there, and the text shows it.
        AuditedModels.edit(out, "model.layers.1.self_attn.v_proj.weight_scale", b -> {
            for (int i = 0; i < b.length; i += 4) {
                AuditedModels.putFloat(b, i, 60 * AuditedModels.getFloat(b, i));
            }
        });
        AuditReport broken = Audit.run(out, llama, Optional.of(text), Audit.Listener.NONE);
        assertEquals(1, broken.faults().stream().filter(f -> f.rule() == Finding.Rule.LAYER).count(), broken.faults().toString());
        assertEquals(1, broken.data().orElseThrow().parting());
        assertTrue(broken.faults().getFirst().message().contains("the whole weight is 60 times what it should be"), broken.faults().toString());
    }

    /** Norms with biases, linear layers with biases: both move with the scales. */
    @Test
    void biasesMoveWithTheScales() {
        try (HfModel opt = HfModel.open(GoldenModels.unpack("opt_g", tmp.resolve("opt")))) {
            for (String method : List.of("Awq", "SmoothQuant")) {
                boolean awq = method.equals("Awq");
                Path out = run(opt, method, awq ? Map.of("trans", true, "trans_version", "v2", "weight_clip", false) : Map.of("alpha", 0.7),
                        awq ? SchemePlan.of(FOUR) : SchemePlan.of(EIGHT, QuantScheme.integer(8, true, Granularity.PER_TOKEN)), "vllm", false);
                AuditReport r = Audit.run(out, opt, Optional.empty(), Audit.Listener.NONE);
                sound(r);
                assertEquals(List.of(), r.of(Finding.Severity.WARNING));
                assertFalse(r.transforms().isEmpty());
            }
        }
    }

    @Test
    void aScaledNormBeforeExpertsIsRecognized() {
        try (HfModel mixtral = io.llmc4j.families.FamilyModels.open("mixtral")) {
            Path out = run(mixtral, "Awq", Map.of("trans", true, "trans_version", "v2", "weight_clip", false),
                    SchemePlan.of(QuantScheme.integer(4, true, Granularity.perGroup(16))), "compressed-tensors", false);
            AuditReport r = Audit.run(out, mixtral, Optional.empty(), Audit.Listener.NONE);
            sound(r);
            assertTrue(r.transforms().stream().anyMatch(t -> t.contains("post_attention_layernorm")), r.transforms().toString());
        }
    }

    /** With Hadamard transforms that run in the model: they are in the weights of down projections and attention outputs. */
    @Test
    void onlineTransformsAreUndone() {
        Path out = run("QuaRot", Map.of("rotate_mode", "hadamard", "online_rotate", true), SchemePlan.of(FOUR), "fake");
        AuditReport r = audit(out);
        assertTrue(r.sound(), r.findings().toString());
        assertTrue(r.transforms().getFirst().startsWith("the residual stream is rotated, with online Hadamard transforms"), r.transforms().toString());
        assertTrue(r.layers().stream().allMatch(l -> l.error().relative() < 0.15), r.layers().toString());
        assertTrue(r.of(Finding.Severity.WARNING).stream().anyMatch(f -> f.rule() == Finding.Rule.TRANSFORM && f.message().contains("while the model runs")), r.findings().toString());
        rotatedStatesAreCompared(out);
    }

    /** States of a rotated model are compared with the original's, rotated; its transforms run where it needs them. */
    private static void rotatedStatesAreCompared(Path out) {
        Evaluation text = new Evaluation("random", Evaluation.Kind.PERPLEXITY, windows(2, 32, 512, 2), java.util.EnumSet.of(io.llmc4j.engine.evaluate.Position.PRETRAIN));
        AuditReport r = Audit.run(out, llama, Optional.of(text), Audit.Listener.NONE);
        var d = r.data().orElseThrow();
        assertEquals(-1, d.parting(), d.toString());
        assertTrue(d.blockErrors().stream().allMatch(e -> e < 0.2), d.toString());
        assertEquals(d.perplexity(), d.quantized(), 0.1 * d.perplexity());
    }

    @Test
    void statesOfARotatedModelAreCompared() {
        rotatedStatesAreCompared(run("QuaRot", Map.of("rotate_mode", "hadamard"), SchemePlan.of(FOUR), "autoawq"));
    }

    /** OS+ subtracts a shift from a norm's bias and adds W z to the biases behind it. */
    @Test
    void shiftsAreUndone() {
        try (HfModel opt = HfModel.open(GoldenModels.unpack("opt_g", tmp.resolve("shifted")))) {
            Path out = run(opt, "OsPlus", Map.of(), SchemePlan.of(EIGHT, QuantScheme.integer(8, true, Granularity.PER_TOKEN)), "vllm", false);
            AuditReport r = Audit.run(out, opt, Optional.empty(), Audit.Listener.NONE);
            sound(r);
            assertEquals(List.of(), r.of(Finding.Severity.WARNING));
            assertTrue(r.transforms().contains("a shift moved from self_attn_layer_norm to the biases of what reads it (2 blocks)"), r.transforms().toString());
            // One reader that does not know of the shift: then it is none.
            AuditedModels.edit(out, "model.decoder.layers.1.fc1.bias", b -> java.util.Arrays.fill(b, (byte) 0));
            AuditReport broken = Audit.run(out, opt, Optional.empty(), Audit.Listener.NONE);
            assertFalse(broken.sound());
            assertEquals("model.decoder.layers.1.final_layer_norm", broken.faults().getFirst().where());
            assertTrue(broken.findings().stream().anyMatch(f -> f.where().equals("model.decoder.layers.1.fc1") && f.message().contains("its bias is not the original's")),
                    broken.findings().toString());
        }
    }

    /** A shift of the values, which the attention output's bias takes back. */
    @Test
    void shiftsOfValuesAreUndone() {
        try (HfModel opt = HfModel.open(GoldenModels.unpack("opt_g", tmp.resolve("values")))) {
            Path out = tmp.resolve("m" + count++);
            try (ModelSink sink = Exports.open(Exports.named("vllm"), opt, out, AuditedModels.SHARD, false)) {
                sink.ends(opt.ends());
                for (int i = 0; i < 2; i++) {
                    io.llmc4j.engine.model.Block b = opt.block(i);
                    var v = b.linear("self_attn.v_proj");
                    var o = b.linear("self_attn.out_proj");
                    float[] bias = o.bias().clone();
                    float[] values = v.bias().clone();
                    for (int c = 0; c < values.length; c++) {
                        float z = 0.1f * (c % 7 - 3);
                        values[c] -= z;
                        for (int row = 0; row < bias.length; row++) {
                            bias[row] += o.weight().get(row, c) * z;
                        }
                    }
                    v.setBias(values);
                    o.setBias(bias);
                    sink.block(b, io.llmc4j.golden.RoundedModel.results(opt, b, l -> Optional.of(EIGHT), Optional.empty(), Optional.empty()));
                }
                sink.finish();
            }
            AuditReport r = Audit.run(out, opt, Optional.empty(), Audit.Listener.NONE);
            sound(r);
            assertEquals(List.of(), r.of(Finding.Severity.WARNING));
            assertEquals(List.of("a shift moved from self_attn.v_proj to the biases of what reads it (2 blocks)"), r.transforms());
        }
    }
}
