package io.llmc4j.formats.export.gguf.arch;

import io.llmc4j.engine.BadInput;
import io.llmc4j.engine.model.ModelEnds;
import io.llmc4j.engine.model.Norm;
import io.llmc4j.engine.tensor.Shape;
import io.llmc4j.engine.tensor.Tensor;
import io.llmc4j.formats.export.gguf.TensorPart;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Tensors outside the blocks, by name. */
public final class EndTensors {

    private final GgufArch arch;
    private final Map<String, BlockTensors.Named> out = new TreeMap<>();

    private EndTensors(GgufArch arch) {
        this.arch = arch;
    }

    /** @param rotary divisors by name without ".weight" */
    public static List<BlockTensors.Named> of(GgufArch arch, ModelEnds ends, Map<String, float[]> rotary) {
        EndTensors t = new EndTensors(arch);
        t.collect(ends);
        rotary.forEach((name, v) -> t.put(name + ".weight", new Shape(v.length), TensorPart.of(v)));
        return List.copyOf(t.out.values());
    }

    private void collect(ModelEnds ends) {
        if (ends.projectIn().isPresent() || ends.projectOut().isPresent()) {
            throw BadInput.of(BadInput.Common.FORMAT, "GGUF: llama.cpp has no projections of the embedding");
        }
        tensor(TensorNames.EMBEDDING, ends.embedding());
        ends.embeddingNorm().ifPresent(n -> norm(TensorNames.EMBEDDING_NORM, n));
        Norm last = ends.finalNorm().orElseThrow(() -> BadInput.of(BadInput.Common.FORMAT, "GGUF: a model without a final norm; llama.cpp has none such"));
        norm(TensorNames.OUTPUT_NORM, last);
        if (ends.positions().isPresent() != arch.has(Trait.POSITIONS)) {
            throw BadInput.of(BadInput.Common.FORMAT, "GGUF: learned positions: %s in the model, %s in llama.cpp's %s", ends.positions().isPresent(),
                    arch.has(Trait.POSITIONS), arch.title());
        }
        ends.positions().ifPresent(p -> tensor(TensorNames.POSITIONS, p));
        if (!ends.tied() && arch.has(Trait.TIED)) {
            throw BadInput.of(BadInput.Common.FORMAT, "GGUF: the head is not the embedding (any more); llama.cpp's %s knows no other", arch.title());
        }
        if (!ends.tied() || arch.has(Trait.NEEDS_OUTPUT)) {
            tensor(TensorNames.OUTPUT, ends.head().orElse(ends.embedding()));
        }
        if (ends.headBias().length > 0) {
            put(TensorNames.OUTPUT + ".bias", new Shape(ends.headBias().length), TensorPart.of(ends.headBias()));
        } else if (arch == GgufArch.PHI2) {
            int n = Math.toIntExact(ends.embedding().shape().dim(0));
            put(TensorNames.OUTPUT + ".bias", new Shape(n), TensorPart.of(new float[n]));
        }
    }

    private void norm(String name, Norm n) {
        if (n.kind() != arch.norm()) {
            throw BadInput.of(BadInput.Common.FORMAT, "GGUF: %s is a %s norm; llama.cpp's %s computes %s", name, n.kind(), arch.title(), arch.norm());
        }
        put(name + ".weight", new Shape(n.weight().length), TensorPart.of(n.weight()));
        if (n.bias().length > 0) {
            put(name + ".bias", new Shape(n.bias().length), TensorPart.of(n.bias()));
        }
    }

    private void tensor(String name, Tensor t) {
        put(name + ".weight", t.shape(), TensorPart.of(t));
    }

    private void put(String name, Shape shape, TensorPart part) {
        out.put(name, new BlockTensors.Named(name, shape, List.of(part)));
    }
}
