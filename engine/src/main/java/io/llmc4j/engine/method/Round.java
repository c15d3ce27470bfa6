package io.llmc4j.engine.method;

/** Which code does each weight get? GPTQ, SpQR, HQQ, learnt rounding. Installs a WeightRounding on each layer; layers without one are rounded to nearest. */
public non-sealed interface Round extends Stage {
}
