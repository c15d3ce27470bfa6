package io.llmc4j.engine.pipeline;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.quant.QuantScheme;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * One setting of {@code quant.mix_bits}: some layers have schemes of their own (spec 2.10).
 *
 * @param layers     "down_proj" in all blocks, or "down_proj#0-1-30" in blocks 0, 1 and 30; a layer matches when its name contains the text
 * @param quantize   false: these layers stay float
 * @param weight     present when {@code quantize}
 * @param activation empty: these layers are weight-only
 */
public record MixedBits(List<String> layers, boolean quantize, Optional<QuantScheme> weight, Optional<QuantScheme> activation) {

    public MixedBits {
        layers = List.copyOf(layers);
        layers.forEach(MixedBits::blocks);
        if (quantize && weight.isEmpty()) {
            throw new BadInput(BadInput.Common.CONFIG, "a mix_bits setting with do_quant needs a weight scheme: " + layers);
        }
    }

    /** Names of this setting that hold in a block. */
    List<String> names(int block) {
        return layers.stream().filter(l -> !l.contains("#") || blocks(l).contains(block)).map(l -> l.split("#")[0]).toList();
    }

    private static Set<Integer> blocks(String entry) {
        Set<Integer> out = new HashSet<>();
        int at = entry.indexOf('#');
        if (at >= 0) {
            for (String part : entry.substring(at + 1).split("-")) {
                try {
                    out.add(Integer.parseInt(part.strip()));
                } catch (NumberFormatException e) {
                    throw BadInput.of(BadInput.Common.CONFIG, "mix_bits layer_name '%s': '%s' is not a block index (write name#0-1-30 for blocks 0, 1 and 30)",
                            entry, part);
                }
            }
        }
        return out;
    }
}
