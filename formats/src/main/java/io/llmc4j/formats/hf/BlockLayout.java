package io.llmc4j.formats.hf;

import io.llmc4j.engine.model.NormSlot;
import io.llmc4j.engine.model.Subset;
import java.util.List;
import java.util.Map;

/**
 * How one block is stored. Names of modules, norms and vectors are relative to {@link #prefix()}.
 *
 * @param prefix  "model.layers.3" as the family calls it (a checkpoint may put it under another root: {@link HfModel#blockPrefix})
 * @param modules in module order
 * @param vectors key in the block's vectors to tensor name and length
 * @param buffers tensors that a loader recomputes (masks, frequencies): dropped, with this reason
 */
public record BlockLayout(int index, String prefix, List<ModuleLayout> modules, Map<NormSlot, NormLayout> norms, Map<String, VectorLayout> vectors,
                          List<Subset> subsets, List<String> buffers) {

    public record VectorLayout(String tensor, int length) { }

    public BlockLayout {
        modules = List.copyOf(modules);
        norms = Map.copyOf(norms);
        vectors = Map.copyOf(vectors);
        subsets = List.copyOf(subsets);
        buffers = List.copyOf(buffers);
    }

    /** The module that holds this linear layer. */
    public ModuleLayout moduleOf(String linear) {
        return modules.stream().filter(m -> m.parts().stream().anyMatch(p -> p.linear().equals(linear))).findFirst()
                .orElseThrow(() -> new IllegalArgumentException(prefix + " has no layer " + linear));
    }
}
