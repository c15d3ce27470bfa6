package io.llmc4j.formats.export.compressedtensors;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.ScaleFormat;
import java.util.List;

/**
 * One {@code QuantizationArgs} of a configuration: how weights, or inputs, are rounded.
 *
 * @param blockRows  of {@code block_structure}; 0 where the strategy is not block
 * @param dynamic    "true", "false" or "local" (NVFP4 inputs: only the scales of groups are made at run time)
 * @param scaleType  "" (a float), "float8_e4m3fn" or "uint8"
 */
public record QuantArgs(int bits, boolean isFloat, boolean symmetric, String strategy, int groupSize, int blockRows, int blockCols, String dynamic,
                        boolean actOrder, String scaleType) implements java.io.Serializable {

    private static final List<String> STRATEGIES = List.of("tensor", "channel", "group", "block", "token", "tensor_group", "attn_head");

    static QuantArgs of(QuantScheme s, boolean weight, boolean actOrder) {
        Granularity g = s.granularity();
        boolean twoLevel = s.scaleFormat() == ScaleFormat.E4M3_TWO_LEVEL;
        String strategy = switch (g.kind()) {
            case PER_TENSOR -> "tensor";
            case PER_CHANNEL -> weight ? "channel" : "token";
            case PER_TOKEN -> "token";
            case PER_GROUP -> twoLevel ? "tensor_group" : "group";
            case PER_BLOCK -> "block";
            case PER_HEAD -> "attn_head";
        };
        boolean blocks = g.kind() == Granularity.Kind.PER_BLOCK;
        String scaleType = switch (s.scaleFormat()) {
            case FLOAT -> "";
            case E8M0, E8M0_ROUNDED -> "uint8";
            case E4M3_TWO_LEVEL -> "float8_e4m3fn";
        };
        String dynamic = weight || s.isStatic() ? "false" : twoLevel ? "local" : "true";
        return new QuantArgs(s.bits(), !s.isInteger(), s.symmetric(), strategy, g.kind() == Granularity.Kind.PER_GROUP ? g.size() : 0, blocks ? g.size() : 0, g.width(),
                dynamic, actOrder, scaleType);
    }

    /** Throws BadInput (FORMAT) where a field has a value that is not understood. {@code where} for messages. */
    static QuantArgs parse(JsonNode n, String where) {
        int bits = n.path("num_bits").asInt(8);
        String type = n.path("type").asText("int");
        if (!type.equals("int") && !type.equals("float")) {
            throw BadInput.of(BadInput.Common.FORMAT, "%s: type '%s' is neither int nor float", where, type);
        }
        if (bits < 1 || bits > 8) {
            throw BadInput.of(BadInput.Common.FORMAT, "%s: num_bits %d; 1 to 8 are understood", where, bits);
        }
        int group = n.path("group_size").isNull() ? 0 : n.path("group_size").asInt(0);
        String strategy = n.path("strategy").asText("");
        if (n.path("strategy").isNull() || strategy.isEmpty()) {
            strategy = group > 0 ? "group" : group == -1 ? "channel" : "tensor";
        }
        if (!STRATEGIES.contains(strategy)) {
            throw BadInput.of(BadInput.Common.FORMAT, "%s: strategy '%s' is not understood; %s are", where, strategy, STRATEGIES);
        }
        if ((strategy.equals("group") || strategy.equals("tensor_group")) && group <= 0) {
            throw BadInput.of(BadInput.Common.FORMAT, "%s: strategy %s with group_size %d", where, strategy, group);
        }
        JsonNode block = n.path("block_structure");
        int rows = 0;
        int cols = 0;
        if (strategy.equals("block")) {
            String[] parts = block.isTextual() ? block.asText().split("x") : new String[0];
            rows = block.isArray() ? block.path(0).asInt() : parts.length == 2 ? Integer.parseInt(parts[0].trim()) : 0;
            cols = block.isArray() ? block.path(1).asInt() : parts.length == 2 ? Integer.parseInt(parts[1].trim()) : 0;
            if (rows <= 0 || cols <= 0) {
                throw BadInput.of(BadInput.Common.FORMAT, "%s: strategy block needs block_structure [rows, columns], found %s", where, block);
            }
        }
        JsonNode order = n.path("actorder");
        boolean actOrder = order.isTextual() && (order.asText().equals("group") || order.asText().equals("dynamic")) || order.isBoolean() && order.asBoolean();
        String scale = n.path("scale_dtype").asText("").replace("torch.", "").replace("null", "");
        return new QuantArgs(bits, type.equals("float"), n.path("symmetric").asBoolean(true), strategy, Math.max(0, group), rows, cols,
                n.path("dynamic").asText("false"), actOrder, scale);
    }

    ObjectNode json() {
        ObjectNode n = JsonNodeFactory.instance.objectNode();
        if (actOrder) {
            n.put("actorder", "group");
        } else {
            n.putNull("actorder");
        }
        if (blockRows > 0) {
            n.putArray("block_structure").add(blockRows).add(blockCols);
        } else {
            n.putNull("block_structure");
        }
        if (dynamic.equals("local")) {
            n.put("dynamic", dynamic);
        } else {
            n.put("dynamic", dynamic.equals("true"));
        }
        if (groupSize > 0) {
            n.put("group_size", groupSize);
        } else {
            n.putNull("group_size");
        }
        n.put("num_bits", bits);
        n.put("observer", "minmax");
        n.putObject("observer_kwargs");
        if (!scaleType.isEmpty()) {
            n.put("scale_dtype", "torch." + scaleType);
        }
        n.put("strategy", strategy);
        n.put("symmetric", symmetric);
        n.put("type", isFloat ? "float" : "int");
        return n;
    }

    boolean isStatic() {
        return dynamic.equals("false");
    }

    boolean microscaled() {
        return scaleType.equals("uint8");
    }

    boolean twoLevel() {
        return strategy.equals("tensor_group");
    }

    /** As the quantizer's data. */
    QuantScheme scheme() {
        Granularity g = switch (strategy) {
            case "tensor" -> Granularity.PER_TENSOR;
            case "channel" -> Granularity.PER_CHANNEL;
            case "token" -> Granularity.PER_TOKEN;
            case "group", "tensor_group" -> Granularity.perGroup(groupSize);
            case "block" -> Granularity.perBlock(blockRows, blockCols);
            default -> throw BadInput.of(BadInput.Common.NOT_SUPPORTED, "strategy '%s' is not supported for weights or inputs", strategy);
        };
        boolean fixed = isStatic();
        if (!isFloat) {
            return QuantScheme.integer(bits, symmetric, g).withStatic(fixed);
        }
        if (bits != 4 && bits != 8) {
            throw BadInput.of(BadInput.Common.NOT_SUPPORTED, "floats of %d bits are not supported in compressed-tensors; 4 and 8 are", bits);
        }
        String label = bits == 4 ? "e2m1" : "e4m3";
        ScaleFormat scale = twoLevel() ? ScaleFormat.E4M3_TWO_LEVEL : microscaled() ? ScaleFormat.E8M0_ROUNDED : ScaleFormat.FLOAT;
        return QuantScheme.floating(label, NumberFormat.Float.Path.NEAREST_EVEN, g).withScaleFormat(scale).withStatic(fixed);
    }
}
