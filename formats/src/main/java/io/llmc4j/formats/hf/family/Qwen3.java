package io.llmc4j.formats.hf.family;

import io.llmc4j.engine.model.AttentionSpec.QkNorm;
import io.llmc4j.formats.hf.Family;
import io.llmc4j.formats.hf.HfConfig;
import io.llmc4j.formats.hf.ModelShape;
import java.util.List;

/** Llama with RMS norms on the heads of queries and keys, before the rotation. */
public final class Qwen3 implements Family {

    @Override
    public String name() {
        return "qwen3";
    }

    @Override
    public List<String> architectures() {
        return List.of("Qwen3ForCausalLM");
    }

    @Override
    public String quirks() {
        return "q/k norms by head; head_dim of its own";
    }

    @Override
    public ModelShape shape(HfConfig c) {
        return LlamaShaped.shape(c, name(), false, QkNorm.SHARED_BY_HEADS, LlamaShaped.switchedWindow(c));
    }
}
