package io.llmc4j.families;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.kernel.Parallel;
import io.llmc4j.engine.model.AttentionSpec;
import io.llmc4j.engine.model.AttentionSpec.Alibi;
import io.llmc4j.engine.model.LayerSpec;
import io.llmc4j.engine.model.PlainKvCache;
import io.llmc4j.engine.pipeline.ModelSource;
import io.llmc4j.engine.safetensors.SafetensorsFile;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import io.llmc4j.formats.hf.HfModel;
import io.llmc4j.formats.hf.ModelShape;
import java.lang.foreign.Arena;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every family's logits within 1e-4 of the largest absolute logit that transformers computes; in pieces, from other storage types and configs alike. */
class FamilyLogitsTest {

    static List<String> variants() {
        return FamilyModels.VARIANTS;
    }

    static List<String> newer() {
        return FamilyModels.NEWER;
    }

    @ParameterizedTest
    @MethodSource("variants")
    void logitsAgreeWithTransformers(String variant) {
        try (HfModel m = FamilyModels.open(variant)) {
            String name = variant.equals("falcon-rw-alibi") ? "logits_single" : "logits";
            double d = FamilyModels.difference(FamilyModels.reference(variant, name), FamilyModels.logits(m, FamilyModels.ids(variant)));
            System.out.printf("family %-26s %-12s logits differ by %.1e of the largest%n", variant, m.spec().family(), d);
            assertTrue(d < 1e-4, variant + " differs by " + d);
        }
    }

    /**
     * Transformers' eager attention adds Falcon-RW's biases in the mask and to the scores. The model was trained with one; with every slope doubled, and
     * nothing else changed, ours are the eager logits.
     */
    @Test
    void falconRwDiffersFromEagerAttentionByTheSecondBiasOnly() {
        String variant = "falcon-rw-alibi";
        try (HfModel m = FamilyModels.open(variant)) {
            Matrix eager = FamilyModels.reference(variant, "logits");
            int[][] ids = FamilyModels.ids(variant);
            assertTrue(FamilyModels.difference(eager, FamilyModels.logits(m, ids)) > 1e-2);
            ModelSource doubled = FamilyModels.respecified(m, l -> {
                AttentionSpec a = l.attention();
                Alibi alibi = (Alibi) a.position();
                return new LayerSpec(new AttentionSpec(a.heads(), a.kvHeads(), a.headDim(), a.valueDim(), a.scale(), new Alibi(2 * alibi.slopeFactor()),
                        a.slidingWindow(), a.softCap(), a.qkNorm(), a.sinks(), a.latent(), a.logitScaling()), l.feedForward(), l.parallel(), l.residualMultiplier());
            });
            double d = FamilyModels.difference(eager, FamilyModels.logits(doubled, ids));
            assertTrue(d < 1e-4, variant + " differs by " + d);
        }
    }

    @ParameterizedTest
    @MethodSource("variants")
    void tokensInPiecesThroughACacheGiveTheSame(String variant) {
        int[][] ids = FamilyModels.ids(variant);
        try (HfModel m = FamilyModels.open(variant)) {
            // These pick their frequencies by the length so far, and cached keys keep what they were rotated with: one piece.
            boolean byLength = variant.equals("phi3-longrope") || variant.equals("llama-rope-dynamic");
            int[] steps = byLength ? new int[] {40} : new int[] {9, 1, 1, 20, 9};
            double d = FamilyModels.difference(FamilyModels.logits(m, ids), FamilyModels.logitsInSteps(m, ids, new PlainKvCache(), steps));
            assertTrue(d < 1e-5, variant + " differs by " + d);
        }
    }

    /** Weights kept as bf16 or fp16 mean exactly what their float32 values mean. */
    @ParameterizedTest
    @MethodSource("variants")
    void storageTypesDecodeExactly(String variant) {
        int[][] ids = FamilyModels.ids(variant);
        try (Arena arena = Arena.ofConfined(); SafetensorsFile f = FamilyModels.weights(variant)) {
            for (DType type : List.of(DType.BF16, DType.F16)) {
                Map<String, Tensor> narrow = new LinkedHashMap<>();
                Map<String, Tensor> wide = new LinkedHashMap<>();
                for (String n : f.names()) {
                    Tensor t = Tensors.fromFloats(type, f.tensor(n).shape(), Tensors.toFloats(f.tensor(n)), arena);
                    narrow.put(n, t);
                    wide.put(n, Tensors.fromFloats(DType.F32, t.shape(), Tensors.toFloats(t), arena));
                }
                try (HfModel a = HfModel.of(FamilyModels.config(variant), FamilyModels.store(narrow));
                     HfModel b = HfModel.of(FamilyModels.config(variant), FamilyModels.store(wide))) {
                    assertArrayEquals(FamilyModels.logits(b, ids).data(), FamilyModels.logits(a, ids).data());
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("newer")
    void bothStylesOfConfigMeanTheSame(String variant) {
        ModelShape older = ModelShape.of(FamilyModels.config(variant));
        ModelShape newer = ModelShape.of(FamilyModels.config(variant + "-v5"));
        assertEquals(older.spec(), newer.spec());
        assertEquals(older.ends(), newer.ends());
        assertEquals(older.blocks(), newer.blocks());
    }

    @ParameterizedTest
    @MethodSource("threadVariants")
    void threadsDoNotChangeABit(String variant) {
        int before = Parallel.threads();
        try (HfModel m = FamilyModels.open(variant)) {
            Parallel.setThreads(1);
            Matrix one = FamilyModels.logits(m, FamilyModels.ids(variant));
            Parallel.setThreads(3);
            assertArrayEquals(one.data(), FamilyModels.logits(m, FamilyModels.ids(variant)).data());
        } finally {
            Parallel.setThreads(before);
        }
    }

    static List<String> threadVariants() {
        return List.of("deepseek-v3", "gemma2", "gpt-oss", "bloom-12heads", "qwen2-moe");
    }
}
