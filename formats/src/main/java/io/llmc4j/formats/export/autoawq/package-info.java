/**
 * AutoAWQ's gemm packing of 4-bit asymmetric groups, which MLC-LLM reads as well: eight output channels in a word, interleaved.
 */
package io.llmc4j.formats.export.autoawq;
