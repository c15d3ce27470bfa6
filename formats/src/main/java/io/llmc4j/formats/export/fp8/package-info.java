/**
 * The {@code fp8} quantization method of vLLM, SGLang and Transformers: e4m3 weights with one scale a tensor, or one a square block as in
 * DeepSeek-V3 checkpoints.
 */
package io.llmc4j.formats.export.fp8;
