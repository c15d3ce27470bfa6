package io.llmc4j.engine.method;

/** What equivalent float model is easier to quantize? AWQ and SmoothQuant scales, shifts, rotations, norm tweaking. Edits weights and norms without changing the block's function, through {@link BlockWork#foldScale} where it can, so that gathered inputs follow. */
public non-sealed interface Transform extends Stage {
}
