/**
 * compressed-tensors, the format of llm-compressor that vLLM, SGLang and Transformers load: one codec for each of its layouts, and its
 * configuration with groups, targets and an ignore list. LLMC writes a dialect of it for vLLM, SGLang and LightLLM.
 */
package io.llmc4j.formats.export.compressedtensors;
