package io.llmc4j.engine.method;

/** Which weights stay in high precision? OWQ and QUIK columns, SpQR outliers, LLM.int8() channels; and which are removed (pruning, dropped blocks). */
public non-sealed interface Keep extends Stage {
}
