package io.llmc4j.formats.hf.family;

import io.llmc4j.engine.model.AttentionSpec.NoPosition;
import io.llmc4j.engine.model.AttentionSpec.Position;
import io.llmc4j.engine.model.AttentionSpec.QkNorm;
import io.llmc4j.formats.hf.Family;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.ModelShape;
import java.util.List;
import java.util.function.IntPredicate;

/** SmolLM3: Llama whose every fourth layer has no rotation. */
public final class SmolLm3 implements Family {

    @Override
    public String name() {
        return "smollm3";
    }

    @Override
    public List<String> architectures() {
        return List.of("SmolLM3ForCausalLM");
    }

    @Override
    public String quirks() {
        return "some layers without positions; tied head";
    }

    @Override
    public ModelShape shape(HfConfig c) {
        Dims d = Dims.of(c);
        List<Integer> rotates = c.integers("no_rope_layers");
        int interval = c.integerOr(4, "no_rope_layer_interval");
        if (!rotates.isEmpty() && rotates.size() != d.layers()) {
            throw c.wrong("no_rope_layers", rotates.size() + " entries", "one for each of the " + d.layers() + " layers");
        }
        Position rotary = LlamaShaped.rotary(c, d);
        IntPredicate rotated = i -> rotates.isEmpty() ? (i + 1) % interval != 0 : rotates.get(i) != 0;
        return LlamaShaped.shape(c, name(), true, QkNorm.NONE, LlamaShaped.switchedWindow(c, rotated.negate()), i -> rotated.test(i) ? rotary : new NoPosition());
    }
}
