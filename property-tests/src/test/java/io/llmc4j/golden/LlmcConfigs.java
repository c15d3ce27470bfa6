package io.llmc4j.golden;

import com.fasterxml.jackson.databind.JsonNode;
import io.llmc4j.engine.calibrate.CalibrationSet;
import io.llmc4j.engine.pipeline.IgnoredLayers;
import io.llmc4j.engine.pipeline.KvCacheScheme;
import io.llmc4j.engine.pipeline.MethodStep;
import io.llmc4j.engine.pipeline.MixedBits;
import io.llmc4j.engine.pipeline.RunConfig;
import io.llmc4j.engine.pipeline.SchemePlan;
import io.llmc4j.engine.quant.Granularity;
import io.llmc4j.engine.quant.NumberFormat;
import io.llmc4j.engine.quant.QuantScheme;
import io.llmc4j.engine.quant.RangeRule;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** The golden index's configurations (LLMC's, as JSON) as runs. Only what the cases use; the command line has the real reader. */
final class LlmcConfigs {

    private LlmcConfigs() {
    }

    /** @param samples calibration token ids, or length 0 */
    static RunConfig run(JsonNode config, int[][] samples) {
        JsonNode quant = config.has("quant") ? config.get("quant") : config.get("sparse");
        Optional<QuantScheme> weight = optional(quant, "weight").filter(w -> w.has("bit") || w.has("w_1")).map(LlmcConfigs::scheme);
        Optional<QuantScheme> act = optional(quant, "act").map(LlmcConfigs::scheme);
        List<MixedBits> mixed = new ArrayList<>();
        optional(quant, "mix_bits").ifPresent(m -> m.forEach(s -> mixed.add(new MixedBits(texts(s.get("layer_name")), s.get("do_quant").asBoolean(),
                optional(s, "weight").map(LlmcConfigs::scheme), optional(s, "act").map(LlmcConfigs::scheme)))));
        SchemePlan plan = new SchemePlan(weight, act, mixed, ignored(config.path("ignored_layers")));
        RunConfig run = RunConfig.of(quant.get("method").asText(), special(quant), plan).withSeed(config.at("/base/seed").asLong())
                .withQuantOut(quant.path("quant_out").asBoolean(quant.path("sparsity_out").asBoolean(false))).withCompat(true);
        if (samples.length > 0) {
            JsonNode calib = config.get("calib");
            run = run.withCalibration(new CalibrationSet(calib.get("name").asText(), samples, calib.get("bs").asInt(), calib.get("seq_len").asInt()));
        }
        if (quant.has("kvcache")) {
            JsonNode kv = quant.get("kvcache");
            run = run.withKvCache(new KvCacheScheme(kv.get("method").asText(), scheme(kv).withStatic(act.map(QuantScheme::isStatic).orElse(false)), kv.path("residual_length").asInt(128)));
        }
        return run;
    }

    private static Map<String, Object> special(JsonNode quant) {
        Map<String, Object> out = new HashMap<>();
        if (quant.has("special")) {
            quant.get("special").properties().forEach(e -> out.put(e.getKey(), e.getValue().isObject() ? scheme(e.getValue()) : value(e.getValue())));
        }
        for (String own : List.of("sparsity", "n_prune_layers")) {
            optional(quant, own).ifPresent(v -> out.put(own, value(v)));
        }
        optional(quant, "weight").filter(w -> !w.has("bit") && !w.has("w_1")).ifPresent(w -> w.properties().forEach(e -> out.put(e.getKey(), value(e.getValue()))));
        return out;
    }

    private static Object value(JsonNode n) {
        if (n.isBoolean()) {
            return n.asBoolean();
        }
        if (n.isInt()) {
            return n.asInt();
        }
        if (n.isNumber()) {
            return n.asDouble();
        }
        if (n.isArray()) {
            List<Object> list = new ArrayList<>();
            n.forEach(v -> list.add(value(v)));
            return list;
        }
        return n.asText().equals("inf") ? (Object) Double.POSITIVE_INFINITY : n.asText();
    }

    /** A weight, act or kvcache section. */
    static QuantScheme scheme(JsonNode s) {
        if (s.has("w_1")) {
            float any = Float.POSITIVE_INFINITY;
            QuantScheme rows = scheme(s.get("w_2"));
            return rows.withFormat(new NumberFormat.Int4OverInt8(rows, scheme(s.get("w_1")), new NumberFormat.SecondLevel(-any, any, -any, any)));
        }
        if (s.path("bit").asText().equals("48")) {
            JsonNode four = s.get("bit4");
            double smax = (1 << four.get("scales_bit").asInt() - 1) - 1;
            NumberFormat.SecondLevel limits = new NumberFormat.SecondLevel((float) (-smax - 1), (float) smax, (float) (-smax - 1), (float) smax);
            QuantScheme f = scheme(with(four, 4));
            return new QuantScheme(new NumberFormat.Int4OverInt8(scheme(with(s.get("bit8"), 8)), f, limits), f.symmetric(), f.granularity(), f.range(), true,
                    f.scaleFormat(), false, false, false);
        }
        boolean symmetric = s.path("symmetric").asBoolean(true);
        Granularity g = granularity(s);
        QuantScheme scheme = s.path("quant_type").asText("int-quant").equals("float-quant")
                ? QuantScheme.floating(s.get("bit").asText(),
                        s.path("use_qtorch").asBoolean(false) ? NumberFormat.Float.Path.EMULATED_EVEN : NumberFormat.Float.Path.ADAPTIVE, g)
                : QuantScheme.integer(s.get("bit").asInt(), symmetric, g);
        if (s.has("int_range")) {
            scheme = scheme.withFormat(new NumberFormat.Int(scheme.bits(), s.get("int_range").get(0).asInt(), s.get("int_range").get(1).asInt()));
        }
        return scheme.withRange(range(s)).withRoundZeroPoint(s.path("round_zp").asBoolean(true)).withStatic(s.path("static").asBoolean(false))
                .withGradients(s.path("ste").asBoolean(false), s.path("ste_all").asBoolean(false));
    }

    private static JsonNode with(JsonNode level, int bits) {
        return ((com.fasterxml.jackson.databind.node.ObjectNode) level.deepCopy()).put("bit", bits);
    }

    private static Granularity granularity(JsonNode s) {
        return switch (s.get("granularity").asText()) {
            case "per_tensor" -> Granularity.PER_TENSOR;
            case "per_channel" -> Granularity.PER_CHANNEL;
            case "per_token" -> Granularity.PER_TOKEN;
            case "per_group" -> Granularity.perGroup(s.get("group_size").asInt());
            case "per_head" -> Granularity.perHead(s.get("head_num").asInt());
            case "per_block" -> Granularity.perBlock(s.get("block_size").asInt());
            default -> throw new IllegalArgumentException(s.toString());
        };
    }

    private static RangeRule range(JsonNode s) {
        return switch (s.path("calib_algo").asText("minmax")) {
            case "mse" -> RangeRule.Mse.DEFAULT;
            case "hqq" -> new RangeRule.Hqq(0.7, 10, 1.01, 20, false);
            case "learnable" -> new RangeRule.Learnable();
            case "static_minmax" -> new RangeRule.StaticMinMax();
            case "static_moving_minmax" -> new RangeRule.StaticMovingMinMax();
            case "static_hist" -> new RangeRule.StaticHistogram(s.path("bins").asInt(2048));
            default -> new RangeRule.MinMax();
        };
    }

    private static IgnoredLayers ignored(JsonNode n) {
        if (n.isMissingNode()) {
            return IgnoredLayers.NONE;
        }
        Set<Integer> blocks = new HashSet<>();
        n.path("block_ids").forEach(b -> blocks.add(b.asInt()));
        return new IgnoredLayers(blocks, Set.copyOf(texts(n.path("layer_names"))), Set.copyOf(texts(n.path("speical_names"))));
    }

    private static List<String> texts(JsonNode n) {
        List<String> out = new ArrayList<>();
        n.forEach(v -> out.add(v.asText()));
        return out;
    }

    private static Optional<JsonNode> optional(JsonNode n, String key) {
        return Optional.ofNullable(n.get(key));
    }
}
