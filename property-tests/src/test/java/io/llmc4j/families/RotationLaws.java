package io.llmc4j.families;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.linalg.Rotation;
import io.llmc4j.engine.method.rotation.RotationRules;
import io.llmc4j.engine.method.rotation.StreamRotation;
import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.ModelEnds;
import io.llmc4j.engine.model.ModelSpec;
import io.llmc4j.engine.pipeline.ModelSource;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.formats.hf.HfModel;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** For every family: the residual stream may be turned by any orthogonal matrix and the logits stay, within 1e-4 of the largest; or the family is refused. */
class RotationLaws {

    /** Norms with weights on branch outputs or on the embedding, norms after the residual sum, projections beside the embedding. */
    private static final Set<String> REFUSED = Set.of("bloom-12heads", "gemma2", "gemma3-text", "glm4", "olmo2", "opt-postnorm-proj");

    static List<String> variants() {
        return FamilyModels.VARIANTS;
    }

    @ParameterizedTest
    @MethodSource("variants")
    void rotationKeepsTheModel(String variant) {
        try (HfModel model = FamilyModels.open(variant)) {
            boolean refused = false;
            try {
                RotationRules.check(model.spec(), model.ends(), model.block(0), model.beside(), false);
            } catch (BadInput e) {
                refused = true;
            }
            assertEquals(REFUSED.contains(variant), refused, variant);
            if (refused) {
                return;
            }
            int n = model.spec().hiddenSize();
            double[] a = new Random(5).doubles((long) n * n, -1, 1).toArray();
            StreamRotation rotation = new StreamRotation(Rotation.orthogonalFactor(n, a), false);
            int[][] ids = FamilyModels.ids(variant);
            Matrix before = FamilyModels.logits(model, ids);
            Matrix after = FamilyModels.logits(new Turned(model, rotation), ids);
            double difference = FamilyModels.difference(before, after);
            assertTrue(difference <= 1e-4, variant + " differs by " + difference);
        }
    }

    private record Turned(ModelSource model, StreamRotation rotation) implements ModelSource {

        @Override
        public ModelSpec spec() {
            return model.spec();
        }

        @Override
        public ModelEnds ends() {
            return rotation.ends(model.ends(), false);
        }

        @Override
        public Block block(int index) {
            Block b = model.block(index);
            rotation.block(b);
            return b;
        }

        @Override
        public String blockPrefix(int index) {
            return model.blockPrefix(index);
        }

        @Override
        public void close() {
            // The model is its opener's.
        }
    }
}
