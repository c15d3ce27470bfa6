package io.llmc4j.engine.method;

import io.llmc4j.engine.model.Folding;
import io.llmc4j.engine.model.Subset;
import java.util.Optional;

/** Folds the scales that an earlier AWQ run saved ({@code load_transform}): each subset has that of its last layer. */
record SavedScales(String path) implements Transform {

    @Override
    public String name() {
        return "saved scales";
    }

    @Override
    public void apply(BlockWork work) {
        try (SavedVectors scales = SavedVectors.open("scale_path", path, "scales")) {
            for (Subset s : work.block().subsets()) {
                Optional<float[]> scale = scales.find(work.fullName(work.block().linear(s.layers().getLast())));
                if (scale.isPresent() && Folding.possible(work.block(), s, false)) {
                    work.foldScale(s, scale.get());
                }
            }
        }
    }
}
