package io.llmc4j.families;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Folding;
import io.llmc4j.engine.model.ModelEnds;
import io.llmc4j.engine.model.ModelSpec;
import io.llmc4j.engine.model.Subset;
import io.llmc4j.engine.pipeline.ModelSource;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.formats.hf.HfModel;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** For every family: folding any scale or shift where a subset says it may go leaves the logits alone, within 1e-4 of the largest. */
class FoldingLaws {

    static List<String> variants() {
        return FamilyModels.VARIANTS;
    }

    @ParameterizedTest
    @MethodSource("variants")
    void scalesKeepTheModel(String variant) {
        Random random = new Random(variant.hashCode());
        check(variant, block -> {
            for (Subset s : block.subsets()) {
                if (Folding.possible(block, s, true)) {
                    int n = s.previous().orElseThrow() instanceof Subset.PreviousLinear p ? block.linear(p.name()).out() : block.linear(s.input()).in();
                    float[] scale = new float[n];
                    for (int i = 0; i < n; i++) {
                        scale[i] = (float) Math.exp(random.nextGaussian() * 0.7);
                    }
                    Folding.scale(block, s, scale);
                }
            }
        });
    }

    @ParameterizedTest
    @MethodSource("variants")
    void shiftsKeepTheModel(String variant) {
        Random random = new Random(variant.hashCode());
        check(variant, block -> {
            for (Subset s : block.subsets()) {
                if (Folding.shiftPossible(block, s)) {
                    float[] shift = new float[block.linear(s.input()).in()];
                    for (int i = 0; i < shift.length; i++) {
                        shift[i] = (float) random.nextGaussian() * 0.3f;
                    }
                    Folding.shift(block, s, shift);
                }
            }
        });
    }

    private static void check(String variant, Consumer<Block> edit) {
        int[][] ids = FamilyModels.ids(variant);
        try (HfModel m = FamilyModels.open(variant)) {
            Matrix before = FamilyModels.logits(m, ids);
            double d = FamilyModels.difference(before, FamilyModels.logits(new Edited(m, edit), ids));
            assertTrue(d < 1e-4, variant + " differs by " + d);
        }
    }

    private record Edited(ModelSource model, Consumer<Block> edit) implements ModelSource {

        @Override
        public ModelSpec spec() {
            return model.spec();
        }

        @Override
        public ModelEnds ends() {
            return model.ends();
        }

        @Override
        public Block block(int index) {
            Block b = model.block(index);
            edit.accept(b);
            return b;
        }

        @Override
        public String blockPrefix(int index) {
            return model.blockPrefix(index);
        }

        @Override
        public void close() {
            model.close();
        }
    }
}
