package io.llmc4j.cli.config;

import java.util.List;
import java.util.Map;
import java.util.Optional;

/** {@code sparse}: pruning. Token reduction and sparse key-value caches are known and refused. */
final class SparseReader {

    private static final List<String> METHODS = MethodNames.pruning();
    private static final List<String> REFUSED = List.of("Dense", "TokenReduction");

    private SparseReader() {
    }

    static Optional<LlmcConfig.Sparse> read(Section outer) {
        Section s = outer;
        Problems problems = s.problems();
        if (s.has("vision")) {
            problems.error(s.mark("vision"), "sparse.vision: vision models are not here");
            return Optional.empty();
        }
        if (s.has("language")) {
            Optional<Section> language = s.section("language");
            s.done();
            if (language.isEmpty()) {
                return Optional.empty();
            }
            s = language.get();
        }
        Optional<String> method = s.requiredText("method");
        if (method.isPresent() && REFUSED.contains(method.get())) {
            problems.error(s.mark("method"), method.get().equals("Dense") ? "sparse.method Dense with a sparse key-value cache is not here"
                    : "sparse.method TokenReduction reduces image tokens, which text models do not have");
            return Optional.empty();
        }
        if (method.isPresent() && !METHODS.contains(method.get())) {
            problems.error(s.mark("method"), "%s is '%s'; it can be %s%s", s.name("method"), method.get(), String.join(", ", METHODS),
                    Nearest.hint(method.get(), METHODS));
            return Optional.empty();
        }
        Map<String, Object> settings = QuantReader.settings();
        s.require("weight");
        Optional<Section> weight = s.section("weight");
        if (method.isPresent() && weight.isPresent()) {
            Section w = weight.get();
            if (method.get().equals("ShortGPT")) {
                w.require("n_prune_layers");
                w.integer("n_prune_layers", 1, 1 << 20).ifPresent(n -> settings.put("n_prune_layers", n));
            } else {
                Optional<String> pattern = w.text("pattern");
                pattern.filter(p -> {
                    boolean ok = p.matches("[1-9][0-9]?:[1-9][0-9]?");
                    if (!ok) {
                        problems.error(w.mark("pattern"), "%s is '%s'; it has to be n:m, for example 2:4", w.name("pattern"), p);
                    }
                    return ok;
                }).ifPresent(p -> settings.put("pattern", p));
                if (pattern.isEmpty()) {
                    w.require("sparsity");
                }
                w.number("sparsity").filter(x -> {
                    boolean ok = x >= 0 && x < 1;
                    if (!ok) {
                        problems.error(w.mark("sparsity"), "%s is %s; it has to be at least 0 and below 1", w.name("sparsity"), x);
                    }
                    return ok;
                }).ifPresent(x -> settings.put("sparsity", x));
            }
            if (method.get().equals("Magnitude") && w.has("last_layer_only")) {
                settings.put("last_layer_only", w.bool("last_layer_only", false));
            }
            w.done();
        }
        boolean out = s.bool("sparsity_out", false);
        s.refuse("kvcache", "sparse key-value caches are not here");
        s.inert("special", "this method has no settings of its own");
        s.done();
        Section read = s;
        return method.map(m -> new LlmcConfig.Sparse(read.mark(), m, read.mark("method"), settings, out));
    }
}
