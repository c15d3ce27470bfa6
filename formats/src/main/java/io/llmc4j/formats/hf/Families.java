package io.llmc4j.formats.hf;

import io.llmc4j.engine.BadInput;
import io.llmc4j.formats.hf.family.Llama;
import io.llmc4j.formats.hf.family.Mistral;
import io.llmc4j.formats.hf.family.Opt;
import io.llmc4j.formats.hf.family.Qwen2;
import io.llmc4j.formats.hf.family.Qwen3;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/** The only list of model families. */
public final class Families {

    private static final List<Family> ALL = List.of(new Llama(), new Mistral(), new Qwen2(), new Qwen3(), new Opt());

    private Families() {
    }

    public static List<Family> all() {
        return ALL;
    }

    /** Throws BadInput (NOT_SUPPORTED) naming the architecture when no family claims it. */
    public static Family of(HfConfig config) {
        List<String> names = config.texts("architectures");
        for (Family f : ALL) {
            if (names.stream().anyMatch(f.architectures()::contains)) {
                return f;
            }
        }
        Set<String> known = new TreeSet<>();
        ALL.forEach(f -> known.addAll(f.architectures()));
        throw BadInput.of(BadInput.Common.NOT_SUPPORTED, "%s: unknown architecture %s; known: %s", config.where(),
                names.isEmpty() ? "(the field architectures is missing)" : String.join(", ", names), String.join(", ", known));
    }
}
