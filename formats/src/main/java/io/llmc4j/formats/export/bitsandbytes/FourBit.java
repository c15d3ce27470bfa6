package io.llmc4j.formats.export.bitsandbytes;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.llmc4j.engine.tensor.DType;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.engine.tensor.Tensors;
import io.llmc4j.formats.export.ModuleTensors;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * NF4 and FP4 (Dettmers et al., QLoRA, arXiv 2305.14314): the flattened weight in blocks, each divided by its largest magnitude and rounded to the
 * nearest of sixteen numbers, two codes a byte, the first in the high nibble.
 */
final class FourBit {

    enum Table {
        /** Quantiles of the normal distribution, in order. */
        NF4(-1f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f, -0.28444138169288635f, -0.18477343022823334f, -0.09105003625154495f, 0f,
                0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f, 0.44070982933044434f, 0.5626170039176941f,
                0.7229568362236023f, 1f),
        /** By bit pattern: sign, two bits of exponent, one of mantissa; divided by the largest. */
        FP4(0f, 0.0625f / 12f, 8f / 12f, 1f, 4f / 12f, 6f / 12f, 2f / 12f, 3f / 12f, 0f, -0.0625f / 12f, -8f / 12f, -1f, -4f / 12f, -6f / 12f, -2f / 12f, -3f / 12f);

        private final float[] numbers;
        private final int[] order;
        private final float[] middles;

        Table(float... numbers) {
            this.numbers = numbers;
            Integer[] sorted = new Integer[16];
            Arrays.setAll(sorted, i -> i);
            Arrays.sort(sorted, Comparator.comparingDouble(i -> numbers[i] + 0.0));
            order = Arrays.stream(sorted).mapToInt(i -> i).toArray();
            middles = new float[15];
            for (int i = 0; i < 15; i++) {
                middles[i] = (numbers[order[i]] + numbers[order[i + 1]]) / 2f;
            }
        }

        String label() {
            return name().toLowerCase(Locale.ROOT);
        }

        /** The code whose number is nearest; the lower one at a tie. */
        int nearest(float v) {
            int lo = 0;
            int hi = 15;
            while (lo < hi) {
                int mid = (lo + hi) >>> 1;
                if (middles[mid] < v) {
                    lo = mid + 1;
                } else {
                    hi = mid;
                }
            }
            return order[lo];
        }
    }

    static final int BLOCK = 64;
    static final List<String> PARTS = List.of("weight", "weight.absmax", "weight.quant_map", "weight.quant_state.bitsandbytes__nf4",
            "weight.quant_state.bitsandbytes__fp4", "weight.nested_absmax", "weight.nested_quant_map");
    private static final ObjectMapper JSON = new ObjectMapper();

    private FourBit() {
    }

    /** Rounds a weight: its tensors, and the values that they hold. */
    record Rounded(Map<String, Tensor> tensors, Matrix values) { }

    static Rounded round(Table table, Matrix w, DType modelType, Arena arena) {
        int n = w.data().length;
        byte[] packed = new byte[(n + 1) / 2];
        float[] absmax = new float[Math.ceilDiv(n, BLOCK)];
        Matrix values = new Matrix(w.rows(), w.cols());
        for (int b = 0; b < absmax.length; b++) {
            int end = Math.min(n, (b + 1) * BLOCK);
            float max = 0f;
            for (int i = b * BLOCK; i < end; i++) {
                max = Math.max(max, Math.abs(w.data()[i]));
            }
            absmax[b] = max;
            float by = 1f / Math.max(max, 1e-38f);
            for (int i = b * BLOCK; i < end; i++) {
                int code = table.nearest(Math.clamp(w.data()[i] * by, -1f, 1f));
                packed[i / 2] |= (byte) (i % 2 == 0 ? code << 4 : code);
                values.data()[i] = table.numbers[code] * max;
            }
        }
        Map<String, Tensor> t = new LinkedHashMap<>();
        t.put("weight", Tensors.fromBytes(DType.U8, new Shape(packed.length, 1), packed, arena));
        t.put("weight.absmax", Tensors.fromFloats(DType.F32, new Shape(absmax.length), absmax, arena));
        t.put("weight.quant_map", Tensors.fromFloats(DType.F32, new Shape(16), table.numbers, arena));
        String type = modelType == DType.F32 ? "float32" : modelType == DType.F16 ? "float16" : "bfloat16";
        byte[] state = String.format(Locale.ROOT, "{\"quant_type\": \"%s\", \"blocksize\": %d, \"dtype\": \"%s\", \"shape\": [%d, %d]}", table.label(), BLOCK, type,
                w.rows(), w.cols()).getBytes(StandardCharsets.US_ASCII);
        t.put("weight.quant_state.bitsandbytes__" + table.label(), Tensors.fromBytes(DType.U8, new Shape(state.length), state, arena));
        return new Rounded(t, values);
    }

    /** The weight that a module's tensors hold. Throws BadInput (FORMAT) when they do not fit together. */
    static Matrix decode(ModuleTensors t) {
        Table table = t.has("weight.quant_state.bitsandbytes__nf4") ? Table.NF4 : Table.FP4;
        String stateName = "weight.quant_state.bitsandbytes__" + table.label();
        JsonNode state = state(t, stateName);
        int rows = state.path("shape").path(0).asInt();
        int cols = state.path("shape").path(1).asInt();
        int block = state.path("blocksize").asInt();
        if (state.path("shape").size() != 2 || rows <= 0 || cols <= 0 || block <= 0 || (long) rows * cols > Integer.MAX_VALUE - 8) {
            throw t.wrong(stateName, "says shape %s and blocksize %d", state.path("shape"), block);
        }
        int n = rows * cols;
        Tensor weight = t.get("weight", DType.U8);
        if (weight.elements() != (n + 1) / 2) {
            throw t.wrong("weight", "has %d bytes for %d codes", weight.elements(), n);
        }
        byte[] packed = Tensors.toBytes(weight);
        float[] numbers = t.floats("weight.quant_map", 16);
        float[] absmax = state.has("nested_blocksize") ? nested(t, state, Math.ceilDiv(n, block)) : t.floats("weight.absmax", Math.ceilDiv(n, block));
        Matrix m = new Matrix(rows, cols);
        for (int i = 0; i < n; i++) {
            int code = (i % 2 == 0 ? packed[i / 2] >>> 4 : packed[i / 2]) & 15;
            m.data()[i] = numbers[code] * absmax[i / block];
        }
        return m;
    }

    /** Double quantization: absmax = map[code] * nested absmax + offset. */
    private static float[] nested(ModuleTensors t, JsonNode state, int blocks) {
        int size = state.get("nested_blocksize").asInt();
        if (size <= 0) {
            throw t.wrong("weight.quant_state", "says nested_blocksize %d", size);
        }
        Tensor codes = t.get("weight.absmax", DType.U8);
        if (codes.elements() != blocks) {
            throw t.wrong("weight.absmax", "has %d codes for %d blocks", codes.elements(), blocks);
        }
        float[] map = t.floats("weight.nested_quant_map", 256);
        float[] scale = t.floats("weight.nested_absmax", Math.ceilDiv(blocks, size));
        float offset = (float) state.path("nested_offset").asDouble();
        byte[] raw = Tensors.toBytes(codes);
        float[] out = new float[blocks];
        for (int i = 0; i < blocks; i++) {
            out[i] = map[raw[i] & 0xff] * scale[i / size] + offset;
        }
        return out;
    }

    private static JsonNode state(ModuleTensors t, String name) {
        try {
            return JSON.readTree(Tensors.toBytes(t.get(name, DType.U8)));
        } catch (JsonProcessingException e) {
            throw t.wrong(name, "is not JSON: %s", e.getOriginalMessage());
        } catch (IOException e) {
            throw t.wrong(name, "cannot be read: %s", e.getMessage());
        }
    }
}
