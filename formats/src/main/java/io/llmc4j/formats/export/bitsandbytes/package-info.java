/**
 * bitsandbytes: NF4 and FP4 in blocks of the flattened weight (read plain and double-quantized), and the rows of LLM.int8.
 */
package io.llmc4j.formats.export.bitsandbytes;
