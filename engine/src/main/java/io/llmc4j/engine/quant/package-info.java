/**
 * Quantizers: schemes as data, integer and float grids, range rules, real codes and their packing. A quantizer knows a matrix and a
 * scheme, not a layer or a model. The arithmetic is LLMC's, element by element in float32.
 */
package io.llmc4j.engine.quant;
