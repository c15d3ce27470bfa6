package io.llmc4j.formats.hf;

import io.llmc4j.engine.tensor.Tensor;
import java.util.Optional;

/**
 * A module of a checkpoint at hand: where it lies and what it should be.
 *
 * @param prefix of its block as this checkpoint spells it, "model.layers.3"
 */
public record StoredModule(TensorStore store, String prefix, ModuleLayout layout) {

    /** "model.layers.3.self_attn.qkv_proj" */
    public String name() {
        return prefix + "." + layout.name();
    }

    /** "model.layers.3.self_attn.qkv_proj.weight_packed" for "weight_packed". */
    public String tensorName(String suffix) {
        return name() + "." + suffix;
    }

    public Optional<Tensor> find(String suffix) {
        return store.find(tensorName(suffix));
    }

    public Tensor get(String suffix) {
        return store.get(tensorName(suffix));
    }

    /** Name of the float weight's tensor. */
    public String weightName() {
        return prefix + "." + layout.weight();
    }

    public String biasName() {
        return prefix + "." + layout.bias();
    }
}
