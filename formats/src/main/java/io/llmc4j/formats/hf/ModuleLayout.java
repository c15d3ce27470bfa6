package io.llmc4j.formats.hf;

import io.llmc4j.engine.model.Role;
import java.util.List;

/**
 * A linear layer as the checkpoint stores it, and the {@link io.llmc4j.engine.model.Linear}s that it is made of: one, or several when it is fused.
 *
 * @param name       relative to the block, "self_attn.qkv_proj"; an expert of a stacked tensor has its index in it, "mlp.experts.3.gate_up_proj"
 * @param weight     the float weight's tensor, relative to the block
 * @param bias       the bias's tensor; it may be absent in the checkpoint
 * @param slice      index into the first extent of a stacked tensor; -1: the tensor is this module's own
 * @param inputMajor stored [in, out] (GPT-2, stacked experts)
 * @param router     its scores choose experts: never quantized unless asked for
 */
public record ModuleLayout(String name, String weight, String bias, int slice, boolean inputMajor, int out, int in, boolean router, List<Part> parts) {

    /** One linear layer of the module. */
    public record Part(String linear, Role role, int expert, RowMap rows) { }

    public ModuleLayout {
        parts = List.copyOf(parts);
        int sum = parts.stream().mapToInt(p -> p.rows().rows()).sum();
        if (sum != out) {
            throw new IllegalArgumentException(name + ": parts of " + sum + " rows for " + out);
        }
    }

    /** Whether several layers share the stored tensor. */
    public boolean fused() {
        return parts.size() > 1;
    }

    public boolean stacked() {
        return slice >= 0;
    }

    /** The part that is this layer; throws when there is none. */
    public Part part(String linear) {
        return parts.stream().filter(p -> p.linear().equals(linear)).findFirst()
                .orElseThrow(() -> new IllegalArgumentException(name + " has no part " + linear));
    }
}
