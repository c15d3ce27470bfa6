package io.llmc4j.families;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.formats.hf.HfModel;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Past their trained length, families whose code comes with their checkpoints ({@code families/README.md}; within it: {@link FamilyLogitsTest}). */
class RemoteCodeFamiliesTest {

    @ParameterizedTest
    @ValueSource(strings = {"internlm2-dynamic", "qwen-past-length"})
    void logits(String variant) {
        try (HfModel m = FamilyModels.open(variant)) {
            double d = FamilyModels.difference(FamilyModels.reference(variant, "logits"), FamilyModels.logits(m, FamilyModels.ids(variant)));
            System.out.printf("family %-26s %-12s logits differ by %.1e of the largest%n", variant, m.spec().family(), d);
            assertTrue(d < 1e-4, variant + " differs by " + d);
            assertEquals(m.store().names().size(), m.account().size());
        }
    }
}
