package io.llmc4j.engine.method;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.pipeline.SchemePlan;
import io.llmc4j.engine.quant.QuantScheme;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What a recipe is made from: the run's schemes and the method's own settings by LLMC's key ({@code quant.special}).
 *
 * @param special        typed values: Boolean, Integer, Double, String, a List of those, or a QuantScheme
 * @param schemes        how layers are quantized
 * @param quantOut       the next block sees the quantized block's output
 * @param llmcCompatible LLMC's number for every oddity
 */
public record MethodOptions(Map<String, Object> special, SchemePlan schemes, boolean quantOut, boolean llmcCompatible) {

    public MethodOptions {
        special = Map.copyOf(special);
    }

    public boolean has(String key) {
        return special.containsKey(key);
    }

    /** Throws BadInput (CONFIG) when the value is not a truth value; so do its siblings for their types. */
    public boolean flag(String key, boolean otherwise) {
        return get(key, Boolean.class, "true or false").orElse(otherwise);
    }

    public int integer(String key, int otherwise) {
        return get(key, Integer.class, "an integer").orElse(otherwise);
    }

    public double number(String key, double otherwise) {
        return get(key, Number.class, "a number").map(Number::doubleValue).orElse(otherwise);
    }

    public String text(String key, String otherwise) {
        return get(key, String.class, "a text").orElse(otherwise);
    }

    /** One of the given texts; the first is the default. */
    public String choice(String key, String... allowed) {
        String v = text(key, allowed[0]);
        if (!List.of(allowed).contains(v)) {
            throw BadInput.of(BadInput.Common.CONFIG, "special.%s is '%s'; allowed: %s", key, v, String.join(", ", allowed));
        }
        return v;
    }

    public Optional<QuantScheme> scheme(String key) {
        return get(key, QuantScheme.class, "a quantizer's settings");
    }

    /** Empty list when the key is absent. */
    public List<Double> numbers(String key) {
        Object v = special.get(key);
        if (v == null) {
            return List.of();
        }
        List<Double> out = new ArrayList<>();
        for (Object o : v instanceof List<?> list ? list : List.of(v)) {
            if (!(o instanceof Number n)) {
                throw BadInput.of(BadInput.Common.CONFIG, "special.%s holds '%s'; a list of numbers is expected", key, o);
            }
            out.add(n.doubleValue());
        }
        return out;
    }

    private <T> Optional<T> get(String key, Class<T> type, String expected) {
        Object v = special.get(key);
        if (v == null) {
            return Optional.empty();
        }
        if (!type.isInstance(v)) {
            throw BadInput.of(BadInput.Common.CONFIG, "special.%s is '%s'; %s is expected", key, v, expected);
        }
        return Optional.of(type.cast(v));
    }
}
