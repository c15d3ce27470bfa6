package io.llmc4j.families;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.llmc4j.engine.model.AttentionSpec;
import io.llmc4j.engine.model.FeedForwardSpec;
import io.llmc4j.engine.model.RopeScaling;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.ModelShape;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

/** Architectures of the largest models from their config.json alone; parameter counts are the published ones. */
class LargeConfigTest {

    private static ModelShape shape(String name) {
        try (InputStream in = LargeConfigTest.class.getClassLoader().getResourceAsStream("configs/" + name + ".json")) {
            return ModelShape.of(HfConfig.parse(new String(in.readAllBytes(), StandardCharsets.UTF_8), name));
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    /** 176,247,271,424 with the biases of four layers a block: 9 times the width. */
    @Test
    void bloom() {
        ModelShape s = shape("bloom-176b");
        assertEquals(70, s.spec().blocks());
        assertEquals(176_247_271_424L, s.parameters() + 70L * 9 * 14336);
        assertInstanceOf(AttentionSpec.Alibi.class, s.spec().layers().getFirst().attention().position());
    }

    @Test
    void opt() {
        ModelShape s = shape("opt-175b");
        assertEquals(96, s.spec().blocks());
        assertTrue(Math.abs(s.parameters() - 174.6e9) < 0.1e9, Long.toString(s.parameters()));
        assertEquals(2, s.spec().positionOffset());
    }

    @Test
    void llama405b() {
        ModelShape s = shape("llama-3.1-405b");
        assertEquals(126, s.spec().blocks());
        assertEquals(405_853_388_800L, s.parameters());
        AttentionSpec.Rotary r = assertInstanceOf(AttentionSpec.Rotary.class, s.spec().layers().getFirst().attention().position());
        assertEquals(new RopeScaling.Llama3(500000, 8, 1, 4, 8192), r.scaling());
    }

    @Test
    void deepSeekR1() {
        ModelShape s = shape("deepseek-r1");
        assertEquals(61, s.spec().blocks());
        assertEquals(671_026_419_200L, s.parameters());
        assertTrue(s.spec().layers().get(2).feedForward().experts().isEmpty());
        FeedForwardSpec.Experts e = s.spec().layers().get(3).feedForward().experts().orElseThrow();
        assertEquals(256, e.count());
        assertEquals(8, e.groups());
        assertEquals("model.layers.61.", s.carried().getFirst().prefix());
    }
}
