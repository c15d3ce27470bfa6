package io.llmc4j.engine.pipeline;

import java.util.Map;

/**
 * One method of a run.
 *
 * @param name    as {@link io.llmc4j.engine.method.Methods} lists it
 * @param special its settings by LLMC's key: Boolean, Integer, Double, String, a List of those, or a QuantScheme
 */
public record MethodStep(String name, Map<String, Object> special) {

    public MethodStep {
        special = Map.copyOf(special);
    }
}
