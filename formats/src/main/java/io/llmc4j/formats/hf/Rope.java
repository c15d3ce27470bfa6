package io.llmc4j.formats.hf;

import io.llmc4j.engine.model.RopeScaling;
import java.util.List;
import java.util.Optional;

/**
 * Rotary parameters in both styles of config.json: {@code rope_theta} beside {@code rope_scaling}, and {@code rope_parameters}, which holds
 * both (and, for models with several kinds of layers, one object a kind).
 */
public final class Rope {

    private final HfConfig config;
    private final Optional<HfConfig> parameters;

    private Rope(HfConfig config, Optional<HfConfig> parameters) {
        this.config = config;
        this.parameters = parameters;
    }

    /** The only kind of rotary layer. */
    public static Rope of(HfConfig c) {
        Optional<HfConfig> p = c.nested("rope_parameters");
        return new Rope(c, p.isPresent() ? p : c.nested("rope_scaling"));
    }

    /** The parameters of layers of one kind, "sliding_attention"; those of all layers when they are not told apart. */
    public static Rope of(HfConfig c, String layerType) {
        Optional<HfConfig> p = c.nested("rope_parameters");
        if (p.isPresent() && p.get().has(layerType)) {
            p = p.get().nested(layerType);
        }
        return new Rope(c, p.isPresent() ? p : c.nested("rope_scaling"));
    }

    /** Rope parameters of a kind of layer that the old style scales not at all. */
    public static Rope unscaled(HfConfig c, String layerType) {
        Optional<HfConfig> p = c.nested("rope_parameters").filter(r -> r.has(layerType)).flatMap(r -> r.nested(layerType));
        return new Rope(c, p);
    }

    /** The share of a head's features that rotate. */
    public double partial(double absent, String... topLevelNames) {
        if (parameters.isPresent() && parameters.get().has("partial_rotary_factor")) {
            double v = parameters.get().number("partial_rotary_factor");
            config.numberOr(v, topLevelNames);
            return v;
        }
        return config.numberOr(absent, topLevelNames);
    }

    /**
     * @param dims       features of a head that rotate
     * @param absentBase when neither style has a rope_theta
     * @param baseNames  what the field is called at the top level
     */
    public RopeScaling scaling(int dims, double absentBase, int contextLength, String... baseNames) {
        double top = config.numberOr(absentBase, baseNames.length == 0 ? new String[] {"rope_theta"} : baseNames);
        if (parameters.isEmpty()) {
            return new RopeScaling.Plain(top);
        }
        HfConfig p = parameters.get();
        double base = p.numberOr(top, "rope_theta");
        String type = p.text("rope_type").or(() -> p.text("type")).orElse("default");
        p.harmless("type", "rope_type", "mrope_section", "mrope_interleaved");
        return switch (type) {
            // Streams of positions for height and width (Qwen2-VL) are equal for text.
            case "default", "mrope" -> new RopeScaling.Plain(base);
            case "linear" -> new RopeScaling.LinearScaling(base, p.number("factor"));
            case "dynamic" -> new RopeScaling.Dynamic(base, p.number("factor"), contextLength);
            case "llama3" -> new RopeScaling.Llama3(base, p.number("factor"), p.number("low_freq_factor"), p.number("high_freq_factor"),
                    p.integer("original_max_position_embeddings"));
            case "yarn" -> {
                p.harmless("finetuned");
                yield new RopeScaling.Yarn(base, p.number("factor"), p.integerOr(contextLength, "original_max_position_embeddings"),
                        p.numberOr(32, "beta_fast"), p.numberOr(1, "beta_slow"), p.numberOr(0, "mscale"), p.numberOr(0, "mscale_all_dim"),
                        p.numberOr(0, "attention_factor"), p.flagOr(true, "truncate"));
            }
            case "longrope", "su" -> longRope(p, base, dims, contextLength);
            default -> throw p.wrong("rope_type", type, "default, linear, dynamic, llama3, yarn, longrope, mrope");
        };
    }

    private RopeScaling longRope(HfConfig p, double base, int dims, int contextLength) {
        int inside = p.integerOr(0, "original_max_position_embeddings");
        int original = inside != 0 ? inside : config.integerOr(contextLength, "original_max_position_embeddings");
        config.harmless("original_max_position_embeddings");
        double factor = p.numberOr(0, "factor");
        int longest = original == contextLength && factor != 0 ? (int) (factor * original) : contextLength;
        List<Double> near = p.numbers("short_factor");
        List<Double> far = p.numbers("long_factor");
        if (near.size() != dims / 2 || far.size() != dims / 2) {
            throw p.wrong("short_factor, long_factor", near.size() + " and " + far.size() + " numbers", "one for each of the " + dims / 2 + " pairs");
        }
        return new RopeScaling.LongRope(base, near, far, original, longest, p.numberOr(0, "attention_factor"));
    }
}
