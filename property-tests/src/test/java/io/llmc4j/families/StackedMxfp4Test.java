package io.llmc4j.families;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.pipeline.BlockFold;
import io.llmc4j.engine.pipeline.IgnoredLayers;
import io.llmc4j.engine.pipeline.ModelSink;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.pipeline.RunListener;
import io.llmc4j.engine.pipeline.SchemePlan;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import io.llmc4j.formats.convert.Converter;
import io.llmc4j.formats.export.Exports;
import io.llmc4j.formats.hf.HfModel;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** GPT-OSS with its experts in MXFP4: read as transformers reads it, run, written in the same layout, converted. */
class StackedMxfp4Test {

    private static final String VARIANT = "gpt-oss-mxfp4";

    @TempDir
    private Path dir;

    private static SchemePlan experts(QuantScheme scheme) {
        return new SchemePlan(Optional.of(scheme), Optional.empty(), List.of(), new IgnoredLayers(Set.of(0, 1),
                Set.of("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"), Set.of()));
    }

    private Path run(HfModel model, QuantScheme scheme, String format) {
        Path out = dir.resolve(format + scheme.bits());
        try (ModelSink sink = Exports.open(Exports.named(format), model, out, 1L << 30, false)) {
            new BlockFold(model, RunConfig.of("RTN", Map.of(), experts(scheme)), List.of(sink), RunListener.NONE).run();
            assertEquals(List.of(), sink.verify());
        }
        return out;
    }

    private static Tensor same(HfModel a, HfModel b, String name) {
        Tensor t = a.store().get(name);
        assertEquals(b.store().get(name).shape(), t.shape(), name);
        assertEquals(b.store().get(name).dtype(), t.dtype(), name);
        assertEquals(-1, b.store().get(name).bytes().mismatch(t.bytes()), name);
        return t;
    }

    @Test
    void logitsAreThoseOfTransformers() {
        try (HfModel m = FamilyModels.open(VARIANT)) {
            double d = FamilyModels.difference(FamilyModels.reference(VARIANT, "logits"), FamilyModels.logits(m, FamilyModels.ids(VARIANT)));
            assertTrue(d < 1e-4, "differs by " + d);
        }
    }

    /** A conversion to floats and back by rounding to MXFP4 gives a model of the same values: the grid of a source is its own nearest. */
    @Test
    void writtenAsPublished() {
        int[][] ids = FamilyModels.ids(VARIANT);
        try (HfModel source = FamilyModels.open(VARIANT)) {
            Path floats = dir.resolve("floats");
            assertEquals(List.of(), new Converter(source, Exports.named("fake")).convert(floats, false, false).differences());
            try (HfModel f = HfModel.open(floats)) {
                assertEquals("[4, 32, 128]", f.store().get("model.layers.1.mlp.experts.gate_up_proj").shape().toString());
                assertEquals(DType.BF16, f.store().get("model.layers.1.mlp.experts.gate_up_proj").dtype());
                float[] want = FamilyModels.logits(source, ids).data();
                assertArrayEquals(want, FamilyModels.logits(f, ids).data());
                try (HfModel back = HfModel.open(run(f, QuantScheme.microscaling("e2m1"), "mxfp4"))) {
                    assertArrayEquals(want, FamilyModels.logits(back, ids).data());
                    assertEquals(Set.copyOf(source.store().names()), Set.copyOf(back.store().names()));
                    assertEquals(source.config().json().get("quantization_config"), back.config().json().get("quantization_config"));
                    assertEquals(DType.U8, back.store().get("model.layers.0.mlp.experts.down_proj_blocks").dtype());
                    same(back, source, "model.layers.0.mlp.experts.down_proj_bias");
                }
            }
        }
    }

    @Test
    void convertedToItselfEveryByteStays() {
        Path out = dir.resolve("copy");
        try (HfModel source = FamilyModels.open(VARIANT)) {
            assertEquals(List.of(), new Converter(source, Exports.named("mxfp4")).convert(out, false, false).differences());
            try (HfModel copy = HfModel.open(out)) {
                assertEquals(source.store().names().size(), copy.store().names().size());
                source.store().names().forEach(n -> same(copy, source, n));
            }
            assertTrue(assertThrows(BadInput.class, () -> new Converter(source, Exports.named("gptq")).convert(dir.resolve("no"), false, false)).getMessage()
                    .contains("stacks all experts in one tensor"));
        }
    }

    /** Rounding such a source to integers: its floats are what is rounded. */
    @Test
    void aSourceOfCodesIsRoundedFromItsValues() {
        QuantScheme int3 = QuantScheme.integer(3, true, Granularity.perGroup(32));
        Path floats = dir.resolve("floats");
        try (HfModel source = FamilyModels.open(VARIANT)) {
            new Converter(source, Exports.named("fake")).convert(floats, false, false);
            try (HfModel a = HfModel.open(run(source, int3, "fake")); HfModel f = HfModel.open(floats)) {
                for (String n : List.of("model.layers.0.mlp.experts.gate_up_proj", "model.layers.1.mlp.experts.down_proj")) {
                    float[] rounded = Tensors.toFloats(a.store().get(n));
                    float[] before = Tensors.toFloats(f.store().get(n));
                    double error = 0;
                    double norm = 0;
                    for (int i = 0; i < before.length; i++) {
                        error += Math.pow(rounded[i] - before[i], 2);
                        norm += Math.pow(before[i], 2);
                    }
                    assertTrue(error > 0 && Math.sqrt(error / norm) < 0.35, n + " " + Math.sqrt(error / norm));
                }
            }
        }
    }
}
