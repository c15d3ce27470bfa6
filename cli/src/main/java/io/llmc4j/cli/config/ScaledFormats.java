package io.llmc4j.cli.config;

import io.llmc4j.engine.quant.QuantScheme;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Small floats whose name says how they are scaled, too: {@code bit: nvfp4} is a whole scheme (NVIDIA's NVFP4, OCP's microscaling formats). */
public final class ScaledFormats {

    private static final Map<String, QuantScheme> ALL = new LinkedHashMap<>();

    static {
        ALL.put("nvfp4", QuantScheme.nvfp4());
        ALL.put("mxfp4", QuantScheme.microscaling("e2m1"));
        ALL.put("mxfp6_e2m3", QuantScheme.microscaling("e2m3"));
        ALL.put("mxfp6_e3m2", QuantScheme.microscaling("e3m2"));
        ALL.put("mxfp8", QuantScheme.microscaling("e4m3"));
    }

    private ScaledFormats() {
    }

    public static List<String> names() {
        return List.copyOf(ALL.keySet());
    }

    public static Optional<QuantScheme> named(String name) {
        return Optional.ofNullable(ALL.get(name));
    }
}
