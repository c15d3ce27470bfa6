/**
 * Packing: unsigned codes, one a byte, to the words and bytes of each format, and back. Pure functions on arrays; no file, no name of a
 * tensor. What a format calls its tensors and where it puts an offset is said in its own room.
 */
package io.llmc4j.engine.quant.packing;
