package io.llmc4j.families;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.method.Methods;
import io.llmc4j.engine.method.rotation.RotationRules;
import io.llmc4j.formats.hf.Families;
import io.llmc4j.formats.hf.Family;
import io.llmc4j.formats.hf.HfModel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What the table of families says of methods is what the methods do. */
class MethodsOfFamiliesTest {

    static List<String> variants() {
        List<String> all = new ArrayList<>(FamilyModels.VARIANTS);
        all.addAll(List.of("llava", "qwen2-vl", "gemma3", "gpt-oss-mxfp4"));
        return all;
    }

    private static Set<String> without(Family f) {
        String names = f.without().replaceAll("[( ]*\\(.*| for .*", "");
        return names.isEmpty() ? Set.of() : new TreeSet<>(Arrays.asList(names.split(", ")));
    }

    @ParameterizedTest
    @MethodSource("variants")
    void refusedIsWhatIsListed(String variant) {
        Set<String> refused = new TreeSet<>();
        try (HfModel m = FamilyModels.open(variant)) {
            if (refuses(() -> RotationRules.check(m.spec(), m.ends(), m.block(0), m.beside(), false))) {
                refused.addAll(List.of("QuaRot", "SpinQuant"));
            }
            // a table has one row for OPT, whose 350M alone has norms after its halves
            boolean only = Families.of(m.config()).without().contains(" for ");
            if (!only || !refused.isEmpty()) {
                assertEquals(without(Families.of(m.config())), refused, variant);
            }
        }
    }

    private static boolean refuses(Runnable r) {
        try {
            r.run();
            return false;
        } catch (BadInput e) {
            return true;
        }
    }

    @Test
    void namesAreMethods() {
        Set<String> known = new TreeSet<>();
        Methods.all().forEach(m -> known.add(m.name()));
        Families.all().forEach(f -> assertTrue(known.containsAll(without(f)), f.name() + " " + f.without()));
    }
}
