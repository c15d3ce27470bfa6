package io.llmc4j.formats.audit;

import com.fasterxml.jackson.databind.JsonNode;

/** What a config.json says that the weights are stored as. */
final class FormatName {

    private FormatName() {
    }

    /** The object that describes the quantization; a missing node when there is none. */
    static JsonNode section(JsonNode config) {
        JsonNode q = config.path("quantization_config");
        if (!q.isObject()) {
            q = config.path("compression_config");
        }
        return q.isObject() ? q : config.path("quantization");
    }

    /** "compressed-tensors, pack-quantized", "GPTQ, version 1", … */
    static String of(JsonNode config) {
        JsonNode q = section(config);
        String method = q.path("quant_method").asText(config.path("quant_method").asText(""));
        return switch (method) {
            case "" -> q.has("group_size") && q.has("bits") ? "MLX, affine" : "floats";
            case "compressed-tensors" -> "compressed-tensors, " + q.path("format").asText("dense");
            case "gptq" -> "GPTQ, version " + (q.path("checkpoint_format").asText(q.path("format").asText("gptq")).equals("gptq_v2") ? 2 : 1);
            case "awq" -> "AutoAWQ, " + q.path("version").asText("gemm").toLowerCase(java.util.Locale.ROOT);
            case "bitsandbytes" -> "bitsandbytes, " + (q.path("load_in_8bit").asBoolean() ? "int8" : q.path("bnb_4bit_quant_type").asText("nf4"));
            case "hqq" -> "HQQ";
            case "fp8" -> q.path("weight_block_size").isArray() ? "FP8, blocks" : "FP8, per tensor";
            default -> method;
        };
    }
}
