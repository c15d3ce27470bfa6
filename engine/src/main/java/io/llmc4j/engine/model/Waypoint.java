package io.llmc4j.engine.model;

import java.util.EnumSet;
import java.util.Set;

/** A place inside a block's forward pass where a matrix is all that the rest of the pass needs of a part of it. */
public enum Waypoint {

    /** What attention mixed, the output projection's input: [batch * tokens, heads * value dimension]. */
    MIXED(EnumSet.of(Role.Q, Role.K, Role.V, Role.Q_A, Role.Q_B, Role.KV_A, Role.KV_B)),

    /** What the attention half adds to the states, after its own norm if it has one: [batch * tokens, hidden]. */
    ATTENTION(MIXED, EnumSet.of(Role.O)),

    /** The input of a dense feed-forward half's last layer: [batch * tokens, intermediate]. */
    DOWN_INPUT(ATTENTION, EnumSet.of(Role.GATE, Role.UP));

    private final Set<Role> upstream;

    Waypoint(Set<Role> upstream) {
        this.upstream = upstream;
    }

    /** Behind another place, and these. */
    Waypoint(Waypoint before, Set<Role> more) {
        this(EnumSet.copyOf(before.upstream));
        upstream.addAll(more);
    }

    /** Whether the matrix may depend on the layer. */
    public boolean dependsOn(Linear layer) {
        return upstream.contains(layer.role());
    }
}
