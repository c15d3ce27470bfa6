package io.llmc4j.engine.method;

import java.util.EnumSet;
import java.util.Set;

/**
 * What the fold should gather in its float pass over a block.
 *
 * @param firstSubsetOnly a stage that recaptures subset after subset needs only the first one's from the float pass
 */
public record Needs(Set<Need> what, boolean firstSubsetOnly) {

    public static final Needs NOTHING = new Needs(Set.of(), false);

    public Needs {
        what = Set.copyOf(what);
    }

    public static Needs of(Need first, Need... more) {
        return new Needs(EnumSet.of(first, more), false);
    }

    public Needs firstSubset() {
        return new Needs(what, true);
    }
}
