/**
 * Which type each tensor of a file gets: GGUF's file types ("Q4_K_M") are mixes, with rules by tensor, layer and shape. The rules are those
 * of llama.cpp's quantizer, so that a file made here and one made there have the same types.
 */
package io.llmc4j.formats.export.gguf.mix;
