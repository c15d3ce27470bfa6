package io.llmc4j.engine.method;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.pipeline.LayerScheme;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.BiFunction;

/** Looks at every layer that is to be quantized before the first block is worked on, and names all that a method cannot take at once. */
final class Misfits {

    private static final int NAMED = 12;

    private Misfits() {
    }

    /**
     * @param complaint what is wrong with a layer that has a weight scheme; shapes may be looked at, weights should not be
     * @throws BadInput (CONFIG) with {@code rule}, the layers, and {@code advice}
     */
    static void refuse(ModelWork model, BiFunction<Linear, LayerScheme, Optional<String>> complaint, String rule, String advice) {
        List<String> lines = new ArrayList<>();
        for (int i = 0; i < model.spec().blocks(); i++) {
            Block block = model.block(i);
            for (Linear layer : block.linears()) {
                String name = model.blockPrefix(i) + "." + layer.name();
                LayerScheme scheme = model.config().scheme(model.spec().family(), i, layer.role(), layer.name(), name);
                if (scheme.weight().isPresent()) {
                    complaint.apply(layer, scheme).ifPresent(c -> lines.add("  " + name + "  " + c));
                }
            }
        }
        if (lines.isEmpty()) {
            return;
        }
        String more = lines.size() > NAMED ? System.lineSeparator() + "  and " + (lines.size() - NAMED) + " more" : "";
        throw BadInput.of(BadInput.Common.CONFIG, "%s; %d layers do not fit:%n%s%s%n%s", rule, lines.size(),
                String.join(System.lineSeparator(), lines.subList(0, Math.min(NAMED, lines.size()))), more, advice);
    }
}
