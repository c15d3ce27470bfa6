package io.llmc4j.families;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Decoder;
import io.llmc4j.engine.model.ForwardHooks;
import io.llmc4j.engine.model.Hidden;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.Waypoint;
import io.llmc4j.engine.tensor.Matrix;
import io.llmc4j.formats.hf.HfModel;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A pass that goes on from a matrix inside it gives the bits of a whole one, asks no layer before that place, and asks all behind it. */
class WaypointTest {

    /** Copies what it passes; hands out what it is given. */
    private static final class Recorder implements ForwardHooks {
        private final Map<Waypoint, Matrix> given;
        private final Map<Waypoint, Matrix> passed = new EnumMap<>(Waypoint.class);
        private final Set<Linear> asked = new HashSet<>();

        Recorder(Map<Waypoint, Matrix> given) {
            this.given = given;
        }

        @Override
        public Matrix at(Waypoint place, Supplier<Matrix> compute) {
            if (given.containsKey(place)) {
                return given.get(place).copy();
            }
            Matrix m = compute.get();
            passed.put(place, m.copy());
            return m;
        }

        @Override
        public void linearInput(Linear layer, Matrix x, int batch, int tokens) {
            asked.add(layer);
        }
    }

    static List<String> variants() {
        return FamilyModels.VARIANTS;
    }

    @ParameterizedTest
    @MethodSource("variants")
    void thePassGoesOn(String variant) {
        try (HfModel m = FamilyModels.open(variant)) {
            Decoder decoder = new Decoder(m.spec());
            Hidden x = decoder.embed(m.ends(), FamilyModels.ids(variant));
            for (int b = 0; b < m.spec().blocks(); b++) {
                Block block = m.block(b);
                Recorder whole = new Recorder(Map.of());
                Hidden y = decoder.block(block, x, whole);
                assertTrue(whole.passed.containsKey(Waypoint.MIXED) && whole.passed.containsKey(Waypoint.ATTENTION));
                boolean dense = block.spec().feedForward().experts().isEmpty();
                assertEquals(dense, whole.passed.containsKey(Waypoint.DOWN_INPUT));
                for (Waypoint place : whole.passed.keySet()) {
                    Recorder rest = new Recorder(Map.of(place, whole.passed.get(place)));
                    assertArrayEquals(y.data().data(), decoder.block(block, x, rest).data().data(), variant + ", block " + b + ", from " + place);
                    // a feed-forward half's input does not spare the attention half
                    boolean sparesAll = place != Waypoint.DOWN_INPUT;
                    assertFalse(rest.asked.stream().anyMatch(l -> place.dependsOn(l) && (sparesAll || l.role().name().matches("GATE|UP"))), variant + " from " + place);
                    assertTrue(whole.asked.stream().filter(l -> !place.dependsOn(l)).allMatch(rest.asked::contains), variant + " from " + place);
                }
                x = y;
            }
        }
    }
}
