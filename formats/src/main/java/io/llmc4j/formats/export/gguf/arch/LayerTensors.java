package io.llmc4j.formats.export.gguf.arch;

import io.llmc4j.engine.model.Role;
import java.util.Optional;

/** Which tensor a layer becomes. */
public final class LayerTensors {

    private LayerTensors() {
    }

    /** The tensor whose importance a layer's inputs are; of layers that share a tensor one speaks for all, and routers stay float. */
    public static Optional<String> importanceName(GgufArch arch, Role role, int block) {
        if (role.isRouter() || role == Role.KV_B) {
            return Optional.empty();
        }
        if (arch.has(Trait.FUSED_QKV) && (role == Role.Q || role == Role.K || role == Role.V)) {
            return role == Role.Q ? Optional.of(TensorNames.inBlock(block, TensorNames.QKV + ".weight")) : Optional.empty();
        }
        if (arch.has(Trait.FUSED_GATE_UP) && role == Role.GATE) {
            return Optional.empty();
        }
        return Optional.of(TensorNames.inBlock(block, TensorNames.of(role) + ".weight"));
    }
}
