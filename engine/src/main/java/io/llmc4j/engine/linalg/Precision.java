package io.llmc4j.engine.linalg;

/** The arithmetic of a factorisation. The default is FLOAT64 with the result rounded; FLOAT32 is there to compare with tools that use it. */
public enum Precision { FLOAT32, FLOAT64 }
