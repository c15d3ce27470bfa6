package io.llmc4j.engine.method.rotation;

import io.llmc4j.engine.model.Block;
import io.llmc4j.engine.model.Linear;
import io.llmc4j.engine.model.NormSlot;
import io.llmc4j.engine.model.Role;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** Which layers of a block read from the residual stream, and which write to it. */
public final class StreamRoles {

    private static final Set<Role> ATTENTION_READERS = EnumSet.of(Role.K, Role.V, Role.Q_A, Role.KV_A);
    private static final Set<Role> MLP_READERS = EnumSet.of(Role.GATE, Role.UP, Role.ROUTER, Role.EXPERT_GATE, Role.EXPERT_UP, Role.SHARED_GATE, Role.SHARED_UP,
            Role.SHARED_EXPERT_GATE);
    private static final Set<Role> WRITERS = EnumSet.of(Role.O, Role.DOWN, Role.EXPERT_DOWN, Role.SHARED_DOWN);

    private StreamRoles() {
    }

    /** Layers that read the stream through the attention norm: queries unless they come from a latent, keys, values, latents. */
    public static List<Linear> attentionReaders(Block b) {
        return b.linears().stream().filter(l -> ATTENTION_READERS.contains(l.role()) || l.role() == Role.Q).toList();
    }

    /** Layers that read the stream through the norm before the feed-forward: projections, routers, experts. */
    public static List<Linear> mlpReaders(Block b) {
        return b.linears().stream().filter(l -> MLP_READERS.contains(l.role())).toList();
    }

    public static List<Linear> writers(Block b) {
        return b.linears().stream().filter(l -> WRITERS.contains(l.role())).toList();
    }

    /** The norm that the feed-forward reads through: its own, or in a parallel block the attention's. */
    public static NormSlot mlpNorm(Block b) {
        return b.norm(NormSlot.MLP_INPUT).isPresent() ? NormSlot.MLP_INPUT : NormSlot.ATTENTION_INPUT;
    }
}
