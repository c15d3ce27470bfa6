package io.llmc4j.families;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.safetensors.SafetensorsFile;
import io.llmc4j.engine.tensor.Conversions;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.HfModel;
import java.lang.foreign.Arena;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Checkpoints stored in FP8 blocks (DeepSeek) and MXFP4 (GPT-OSS) decode to exactly what their published definitions say. */
class FloatSourcesTest {

    private final Arena arena = Arena.ofAuto();

    private static HfConfig with(String variant, String quantization) {
        ObjectNode n = FamilyModels.config(variant).json().deepCopy();
        try {
            n.set("quantization_config", new com.fasterxml.jackson.databind.ObjectMapper().readTree(quantization));
        } catch (com.fasterxml.jackson.core.JsonProcessingException e) {
            throw new AssertionError(e);
        }
        return HfConfig.parse(n.toString(), "config.json");
    }

    private static boolean isFp8(String name) {
        return name.endsWith("_proj.weight") || name.endsWith("_mqa.weight");
    }

    /** W = q * scale of its block, despite the name; edges are ragged (40 and 112 rows in blocks of 32). */
    @Test
    void fp8Blocks() {
        int edge = 32;
        Map<String, Tensor> stored = new LinkedHashMap<>();
        Map<String, Tensor> plain = new LinkedHashMap<>();
        Random random = new Random(5);
        try (SafetensorsFile f = FamilyModels.weights("deepseek-v3")) {
            for (String n : f.names()) {
                if (!isFp8(n)) {
                    stored.put(n, f.tensor(n));
                    plain.put(n, f.tensor(n));
                    continue;
                }
                Matrix w = Tensors.toMatrix(f.tensor(n));
                int down = (w.rows() + edge - 1) / edge;
                int across = (w.cols() + edge - 1) / edge;
                float[] scales = new float[down * across];
                for (int i = 0; i < scales.length; i++) {
                    scales[i] = 0.0005f + random.nextFloat() * 0.001f;
                }
                byte[] codes = new byte[w.data().length];
                float[] decoded = new float[codes.length];
                for (int i = 0; i < codes.length; i++) {
                    float s = scales[i / w.cols() / edge * across + i % w.cols() / edge];
                    codes[i] = Conversions.floatToE4m3(w.data()[i] / s, true);
                    decoded[i] = Conversions.e4m3ToFloat(codes[i]) * s;
                }
                stored.put(n, Tensors.fromBytes(DType.F8_E4M3, f.tensor(n).shape(), codes, arena));
                stored.put(n + "_scale_inv", Tensors.fromFloats(DType.F32, new Shape(down, across), scales, arena));
                plain.put(n, Tensors.fromFloats(DType.F32, f.tensor(n).shape(), decoded, arena));
            }
            String q = "{\"quant_method\": \"fp8\", \"fmt\": \"e4m3\", \"activation_scheme\": \"dynamic\", \"weight_block_size\": [32, 32]}";
            int[][] ids = FamilyModels.ids("deepseek-v3");
            try (HfModel a = HfModel.of(with("deepseek-v3", q), FamilyModels.store(stored));
                 HfModel b = HfModel.of(FamilyModels.config("deepseek-v3"), FamilyModels.store(plain))) {
                assertArrayEquals(FamilyModels.logits(b, ids).data(), FamilyModels.logits(a, ids).data());
                assertEquals(stored.size(), a.account().size());
            }
            assertTrue(assertThrows(BadInput.class, () -> HfModel.of(with("deepseek-v3", q.replace("e4m3", "e5m2")), FamilyModels.store(stored)))
                    .getMessage().contains("e5m2"));
        }
    }

    private static final float[] FP4 = {0f, 0.5f, 1f, 1.5f, 2f, 3f, 4f, 6f, -0f, -0.5f, -1f, -1.5f, -2f, -3f, -4f, -6f};

    /** Rows are output features, the low nibble comes first, a scale is 2^(byte - 127); even rows are gates. */
    @Test
    void mxfp4StackedExperts() {
        Map<String, Tensor> stored = new LinkedHashMap<>();
        Map<String, Tensor> plain = new LinkedHashMap<>();
        Random random = new Random(6);
        try (SafetensorsFile f = FamilyModels.weights("gpt-oss")) {
            for (String n : f.names()) {
                Tensor t = f.tensor(n);
                if (!n.endsWith("experts.gate_up_proj")) {
                    stored.put(n, t);
                    plain.put(n, t);
                    continue;
                }
                int experts = (int) t.shape().dim(0);
                int in = (int) t.shape().dim(1);
                int out = (int) t.shape().dim(2);
                byte[] blocks = new byte[experts * out * in / 2];
                byte[] scales = new byte[experts * out * in / 32];
                random.nextBytes(blocks);
                for (int i = 0; i < scales.length; i++) {
                    scales[i] = (byte) (121 + random.nextInt(4));
                }
                float[] decoded = new float[experts * in * out];
                for (int e = 0; e < experts; e++) {
                    for (int o = 0; o < out; o++) {
                        for (int i = 0; i < in; i++) {
                            int at = (e * out + o) * in + i;
                            int nibble = i % 2 == 0 ? blocks[at / 2] & 15 : blocks[at / 2] >> 4 & 15;
                            decoded[(e * in + i) * out + o] = FP4[nibble] * (float) Math.pow(2, (scales[at / 32] & 0xff) - 127);
                        }
                    }
                }
                stored.put(n + "_blocks", Tensors.fromBytes(DType.U8, new Shape(experts, out, in / 32, 16), blocks, arena));
                stored.put(n + "_scales", Tensors.fromBytes(DType.U8, new Shape(experts, out, in / 32), scales, arena));
                plain.put(n, Tensors.fromFloats(DType.F32, t.shape(), decoded, arena));
            }
            int[][] ids = FamilyModels.ids("gpt-oss");
            try (HfModel a = HfModel.of(with("gpt-oss", "{\"quant_method\": \"mxfp4\", \"modules_to_not_convert\": [\"lm_head\"]}"), FamilyModels.store(stored));
                 HfModel b = HfModel.of(FamilyModels.config("gpt-oss"), FamilyModels.store(plain))) {
                assertArrayEquals(FamilyModels.logits(b, ids).data(), FamilyModels.logits(a, ids).data());
                assertEquals(stored.size(), a.account().size());
            }
        }
    }
}
