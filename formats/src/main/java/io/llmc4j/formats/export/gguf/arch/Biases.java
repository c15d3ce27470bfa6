package io.llmc4j.formats.export.gguf.arch;

import io.llmc4j.engine.model.Role;
import java.util.EnumSet;
import java.util.Set;

/** Which linear layers may have a bias in a file that llama.cpp loads: it refuses tensors that it does not ask for. */
final class Biases {

    private static final Set<Role> QKV = EnumSet.of(Role.Q, Role.K, Role.V);
    private static final Set<Role> ALL = EnumSet.of(Role.Q, Role.K, Role.V, Role.O, Role.GATE, Role.UP, Role.DOWN);
    private static final Set<Role> GPT_OSS = EnumSet.of(Role.Q, Role.K, Role.V, Role.O, Role.ROUTER, Role.EXPERT_GATE, Role.EXPERT_UP, Role.EXPERT_DOWN);
    private static final Set<Role> NONE = EnumSet.noneOf(Role.class);

    private Biases() {
    }

    static Set<Role> of(GgufArch arch) {
        return switch (arch) {
            case LLAMA, GRANITE, MINICPM, PHI2, STARCODER, STARCODER2, BLOOM, GPT2, GPT_NEOX -> ALL;
            case GPT_OSS -> GPT_OSS;
            case FALCON, DEEPSEEK2 -> NONE;
            default -> QKV;
        };
    }
}
