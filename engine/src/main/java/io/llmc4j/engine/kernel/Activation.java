package io.llmc4j.engine.kernel;

/** Activation functions of feed-forward layers. */
public enum Activation { NONE, RELU, SILU, GELU_ERF, GELU_TANH, GELU_QUICK, RELU_SQUARED }
