package io.llmc4j.formats.export.gguf.arch;

import io.llmc4j.engine.model.AttentionSpec;
import io.llmc4j.engine.model.FeedForwardSpec.Experts;
import io.llmc4j.engine.model.LayerSpec;
import io.llmc4j.engine.model.ModelSpec;
import io.llmc4j.engine.tensor.Shape;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Shapes of the tensors that tell an architecture, before any is written: those that {@link ArchReader} asks for. */
public final class PlannedShapes {

    private static final Pattern IN_BLOCK = Pattern.compile("blk\\.(\\d+)\\.(.*)");

    private final ModelSpec spec;

    public PlannedShapes(ModelSpec spec) {
        this.spec = spec;
    }

    public Optional<Shape> of(String name) {
        if (name.equals(TensorNames.EMBEDDING + ".weight")) {
            return Optional.of(new Shape(spec.vocabularySize(), spec.hiddenSize()));
        }
        Matcher m = IN_BLOCK.matcher(name);
        return m.matches() ? of(spec.layers().get(Integer.parseInt(m.group(1))), m.group(2)) : Optional.empty();
    }

    private Optional<Shape> of(LayerSpec layer, String name) {
        AttentionSpec a = layer.attention();
        Optional<Experts> experts = layer.feedForward().experts();
        return switch (name) {
            case "attn_q_norm.weight" -> switch (a.qkNorm()) {
                case NONE -> Optional.empty();
                case SHARED_BY_HEADS -> Optional.of(new Shape(a.headDim()));
                case EACH_HEAD -> Optional.of(new Shape(a.heads(), a.headDim()));
                case FULL_WIDTH -> Optional.of(new Shape((long) a.heads() * a.headDim()));
            };
            case "ffn_norm.weight" -> layer.parallel() ? Optional.empty() : Optional.of(new Shape(spec.hiddenSize()));
            case "ffn_gate_inp.weight" -> experts.map(e -> new Shape(e.count(), spec.hiddenSize()));
            case TensorNames.CORRECTION + ".bias" -> experts.filter(Experts::correction).map(e -> new Shape(e.count()));
            default -> Optional.empty();
        };
    }
}
