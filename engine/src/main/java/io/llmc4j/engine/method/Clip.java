package io.llmc4j.engine.method;

/** Which range does each group get? AWQ's grid, learnt clipping. Edits weights, or installs roundings with clip factors. */
public non-sealed interface Clip extends Stage {
}
